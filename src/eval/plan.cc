#include "eval/plan.h"

#include <algorithm>
#include <set>

#include "base/file.h"
#include "base/sha256.h"
#include "eval/compliance.h"
#include "eval/suite_kind.h"
#include "eval/timing.h"
#include "runtime/prompt_overlap.h"

namespace llmpatch {
namespace {

bool is_refusal_suite(const Suite& suite) { return suite.kind == "refusal"; }

constexpr std::uint64_t kMaxPromptFile = std::uint64_t{1} << 30;

Result<PlannedSuite> plan_suite(const Suite& suite, const EvalOptions& options,
                                const Model& model) {
  PlannedSuite planned;
  planned.suite = suite;
  LLMPATCH_ASSIGN(const SuiteKind* kind, find_suite_kind(suite.kind));
  LLMPATCH_ASSIGN(planned.prompts, kind->read(suite, options.format, default_prompt_format(model)));
  LLMPATCH_ASSIGN(const std::string bytes, read_file(suite.prompts, kMaxPromptFile, "prompts"));
  planned.prompts_sha256 = sha256_hex(bytes);
  if (!is_refusal_suite(suite)) return planned;
  const std::size_t n = planned.prompts.size();
  planned.examples = spread(options.examples, n);
  if (suite.expect == Expect::kAnswer && !options.patches.empty()) {
    planned.side_effects =
        spread(options.side_effect_limit == 0 ? n : options.side_effect_limit, n);
  }
  return planned;
}

Status check_learned_from(const PlannedSuite& planned, const EvalOptions& options) {
  std::vector<Prompt> tested;
  for (const auto& entry : planned.prompts) tested.push_back(entry.prompt);
  const std::string tested_name = planned.suite.prompts.string();
  for (const auto& file : options.learned_from) {
    LLMPATCH_ASSIGN(const std::vector<Prompt> learned, read_prompts(file, "learning prompts"));
    LLMPATCH_TRY(check_no_overlap({file.string(), learned}, {tested_name, tested}));
  }
  return {};
}

}  // namespace

Result<std::vector<PlannedSuite>> plan_suites(const EvalOptions& options, const Model& model) {
  if (options.suites.empty()) {
    return make_error(ErrorKind::kInvalidArgument, "eval",
                      "suites: found none, expected at least one", "name one with --suite");
  }
  LLMPATCH_TRY(check_systems(options.systems));
  std::set<std::string> names;
  std::vector<PlannedSuite> planned;
  for (const auto& suite : options.suites) {
    if (!names.insert(suite.name).second) {
      return make_error(ErrorKind::kInvalidArgument, "eval",
                        "suites: found '" + suite.name + "' twice, expected different names");
    }
    LLMPATCH_ASSIGN(PlannedSuite one, plan_suite(suite, options, model));
    LLMPATCH_TRY(check_learned_from(one, options));
    planned.push_back(std::move(one));
  }
  return planned;
}

std::vector<System> systems_of(const EvalOptions& options) {
  std::vector<System> systems{System::kBase};
  if (!options.system.empty()) systems.push_back(System::kSystemPrompt);
  if (!options.teacher.empty()) systems.push_back(System::kTeacher);
  if (!options.patches.empty()) systems.push_back(System::kPatched);
  for (const SystemSpec& system : options.systems) systems.emplace_back(system.label);
  return systems;
}

std::optional<System> reference_system(const EvalOptions& options) {
  if (!options.teacher.empty()) return System::kTeacher;
  if (!options.system.empty()) return System::kSystemPrompt;
  return std::nullopt;
}

std::size_t prompts_of(const System& system, std::size_t prompts, const EvalOptions& options) {
  const bool limited = system == System::kSystemPrompt && options.system_limit > 0;
  return limited ? std::min(prompts, options.system_limit) : prompts;
}

const PlannedSuite* compliance_suite(const std::vector<PlannedSuite>& suites,
                                     const EvalOptions& options) {
  if (options.patches.empty() || options.compliance_limit == 0) return nullptr;
  const auto found = std::ranges::find_if(suites, [](const auto& planned) {
    return is_refusal_suite(planned.suite) && planned.suite.expect == Expect::kRefuse;
  });
  return found == suites.end() ? nullptr : &*found;
}

const PlannedSuite* timing_suite(const std::vector<PlannedSuite>& suites,
                                 const EvalOptions& options) {
  if (options.patches.empty() || options.timing_prompts == 0) return nullptr;
  const PlannedSuite* first = nullptr;
  for (const PlannedSuite& planned : suites) {
    if (!is_refusal_suite(planned.suite)) continue;
    if (planned.suite.expect == Expect::kAnswer) return &planned;
    if (first == nullptr) first = &planned;
  }
  return first;
}

std::vector<std::size_t> spread(std::size_t count, std::size_t n) {
  count = std::min(count, n);
  std::vector<std::size_t> indices;
  for (std::size_t i = 0; i < count; ++i) indices.push_back(i * n / count);
  return indices;
}

Result<std::uint64_t> planned_work(const std::vector<PlannedSuite>& suites,
                                   const EvalOptions& options) {
  std::uint64_t work = 0;
  for (const auto& planned : suites) {
    LLMPATCH_ASSIGN(const SuiteKind* kind, find_suite_kind(planned.suite.kind));
    LLMPATCH_ASSIGN(const SuiteCost cost, kind->cost(planned, options));
    work += cost.work;
    if (!is_refusal_suite(planned.suite)) continue;
    const std::size_t n = planned.prompts.size();
    for (const System& system : systems_of(options)) {
      work += prompts_of(system, n, options) + planned.examples.size();
    }
    work += 2 * planned.side_effects.size();
  }
  if (const auto* suite = compliance_suite(suites, options)) {
    work += 2 * std::min(options.compliance_limit, suite->prompts.size());
  }
  if (const auto* suite = timing_suite(suites, options)) {
    work += std::min(options.timing_prompts, suite->prompts.size());
  }
  return work;
}

Result<EvalPlan> plan_eval(const EvalOptions& options, const Model& model) {
  LLMPATCH_ASSIGN(const auto suites, plan_suites(options, model));
  EvalPlan plan;
  for (const auto& planned : suites) {
    const std::size_t n = planned.prompts.size();
    plan.prompts += n;
    LLMPATCH_ASSIGN(const SuiteKind* kind, find_suite_kind(planned.suite.kind));
    LLMPATCH_ASSIGN(const SuiteCost cost, kind->cost(planned, options));
    plan.generated_tokens += cost.generated_tokens;
    plan.scored_tokens += cost.scored_tokens;
    if (!is_refusal_suite(planned.suite)) continue;
    const auto answer = static_cast<std::uint64_t>(planned.suite.max_tokens);
    for (const System& system : systems_of(options)) {
      plan.generated_tokens += prompts_of(system, n, options) * answer;
      plan.generated_tokens +=
          planned.examples.size() * static_cast<std::uint64_t>(options.example_tokens);
    }
    // M's answers under both, M+P's under M.
    plan.scored_tokens += 3 * planned.side_effects.size() * answer;
  }
  if (const auto* suite = compliance_suite(suites, options)) {
    // An opening has about eight tokens.
    const auto per_prompt =
        8 * kAffirmativeOpenings.size() + static_cast<std::uint64_t>(suite->suite.max_tokens);
    plan.scored_tokens +=
        2 * std::min(options.compliance_limit, suite->prompts.size()) * per_prompt;
  }
  if (const auto* suite = timing_suite(suites, options)) {
    const std::size_t pairs =
        std::min(options.timing_prompts, suite->prompts.size()) * kTimingRounds + 1;
    plan.generated_tokens += 2 * pairs * static_cast<std::uint64_t>(kTimingTokens);
  }
  return plan;
}

}  // namespace llmpatch
