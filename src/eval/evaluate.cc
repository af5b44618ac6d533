#include "eval/evaluate.h"

#include <algorithm>
#include <chrono>

#include "base/file_digest.h"
#include "base/json.h"
#include "eval/answers.h"
#include "eval/card.h"
#include "eval/compliance.h"
#include "eval/judge_set.h"
#include "eval/long_prompt.h"
#include "eval/plan.h"
#include "eval/refusals.h"
#include "eval/report.h"
#include "eval/run.h"
#include "eval/side_effects.h"
#include "eval/suite_kind.h"
#include "eval/timing.h"

namespace llmpatch {
namespace {

// Adds the time it lives to the phase `name` of `seconds`.
class PhaseTimer {
 public:
  PhaseTimer(std::vector<std::pair<std::string, double>>& seconds, std::string_view name)
      : seconds_(seconds), name_(name) {}
  PhaseTimer(const PhaseTimer&) = delete;
  PhaseTimer& operator=(const PhaseTimer&) = delete;
  ~PhaseTimer() {
    const double spent = std::chrono::duration<double>(Clock::now() - start_).count();
    const auto found = std::ranges::find(seconds_, name_, &std::pair<std::string, double>::first);
    if (found != seconds_.end()) {
      found->second += spent;
    } else {
      seconds_.emplace_back(name_, spent);
    }
  }

 private:
  using Clock = std::chrono::steady_clock;
  std::vector<std::pair<std::string, double>>& seconds_;
  std::string name_;
  Clock::time_point start_ = Clock::now();
};

template <class T>
std::vector<T> pick(const std::vector<T>& from, const std::vector<std::size_t>& indices) {
  std::vector<T> picked;
  for (const std::size_t index : indices) picked.push_back(from[index]);
  return picked;
}

Status add_examples(EvalRun& run, const PlannedSuite& planned, SuiteResult& result) {
  for (const std::size_t index : planned.examples) result.examples.push_back({index, {}});
  const std::vector<SuitePrompt> prompts = pick(planned.prompts, planned.examples);
  for (const auto& system : result.systems) {
    LLMPATCH_ASSIGN(const auto answers,
                    answer_prompts(run, prompts, system.system, run.options.example_tokens));
    for (std::size_t i = 0; i < answers.size(); ++i) {
      result.examples[i].texts.push_back(answers[i].text);
    }
  }
  return {};
}

Result<SuiteResult> evaluate_suite(EvalRun& run, const PlannedSuite& planned,
                                   std::vector<std::pair<std::string, double>>& seconds) {
  SuiteResult result;
  result.suite = planned.suite;
  result.prompts_sha256 = planned.prompts_sha256;
  result.prompts = planned.prompts;
  const std::span<const SuitePrompt> prompts(planned.prompts);
  for (const System& system : systems_of(run.options)) {
    const PhaseTimer timer(seconds, "answers of " + std::string(system_name(system)));
    const std::size_t n = prompts_of(system, prompts.size(), run.options);
    LLMPATCH_ASSIGN(auto answers,
                    answer_prompts(run, prompts.first(n), system, planned.suite.max_tokens));
    result.systems.push_back(
        summarise_answers(system, prompts.first(n), std::move(answers), run.options.seed));
  }
  result.comparisons = compare_all(result.systems);
  if (const auto reference = reference_system(run.options)) {
    result.recovered = recovered_refusals(result.systems, *reference, refusal_metric(planned.suite),
                                          run.options.seed);
  }
  if (!planned.side_effects.empty()) {
    const PhaseTimer timer(seconds, "side effects");
    LLMPATCH_ASSIGN(
        result.side_effects,
        measure_side_effects(run, pick(planned.prompts, planned.side_effects),
                             pick(result.find(System::kBase)->answers, planned.side_effects),
                             pick(result.find(System::kPatched)->answers, planned.side_effects)));
  }
  const PhaseTimer timer(seconds, "examples");
  LLMPATCH_TRY(add_examples(run, planned, result));
  return result;
}

Status measure_extras(EvalRun& run, const std::vector<PlannedSuite>& suites, EvalResult& result) {
  if (const auto* planned = compliance_suite(suites, run.options)) {
    const PhaseTimer timer(result.seconds, "compliance");
    const auto& measured = *std::ranges::find_if(result.suites, [&](const SuiteResult& suite) {
      return suite.suite.name == planned->suite.name;
    });
    const std::size_t n = std::min(run.options.compliance_limit, planned->prompts.size());
    const std::span<const SuitePrompt> prompts(planned->prompts);
    const std::span<const Answer> answers(measured.systems.front().answers);
    LLMPATCH_ASSIGN(result.compliance, measure_compliance(run, planned->suite.name,
                                                          prompts.first(n), answers.first(n)));
  }
  if (const auto* planned = timing_suite(suites, run.options)) {
    const PhaseTimer timer(result.seconds, "timing");
    const auto indices = spread(run.options.timing_prompts, planned->prompts.size());
    LLMPATCH_ASSIGN(result.timing, measure_timing(run, pick(planned->prompts, indices)));
  }
  return {};
}

// The rows, which the engines have copies of.
void drop_rows(std::vector<EvalPatch>& patches) {
  for (EvalPatch& patch : patches) patch.rows.values = {};
}

// Adjusts the p-values of all tests together: the family is everything this evaluation tests.
void adjust_p_values(EvalResult& result) {
  std::vector<double> p;
  for (const auto& suite : result.suites) {
    for (const auto& comparison : suite.comparisons) p.push_back(comparison.p);
  }
  for (const auto& suite : result.measured) {
    for (const auto& comparison : suite.comparisons) {
      if (comparison.metric.p) p.push_back(*comparison.metric.p);
    }
  }
  const std::vector<double> adjusted = holm_adjusted(p);
  std::size_t next = 0;
  for (auto& suite : result.suites) {
    for (auto& comparison : suite.comparisons) comparison.p_holm = adjusted[next++];
  }
  for (auto& suite : result.measured) {
    for (auto& comparison : suite.comparisons) {
      if (comparison.metric.p) comparison.p_holm = adjusted[next++];
    }
  }
}

}  // namespace

const SystemResult* SuiteResult::find(const System& system) const {
  const auto found = std::ranges::find(systems, system, &SystemResult::system);
  return found == systems.end() ? nullptr : &*found;
}

Result<EvalResult> run_eval(const Model& model, const EvalOptions& given, const CancelFlag* cancel,
                            const ProgressFn& report) {
  EvalResult result;
  result.options = given;
  EvalOptions& options = result.options;
  LLMPATCH_ASSIGN(const std::vector<PlannedSuite> suites, plan_suites(options, model));
  if (options.model_sha256.empty()) {
    LLMPATCH_ASSIGN(options.model_sha256, sha256_of_file(model.path(), "base model"));
  }
  result.model_path = model.path().string();
  result.model_sha256 = options.model_sha256;
  result.architecture = model.architecture();

  LLMPATCH_ASSIGN(const JudgeSet judges, JudgeSet::create(options, cancel));
  if (options.engine.context == 0) options.engine.context = context_for(options.suites);
  LLMPATCH_ASSIGN(const RunningSystems systems, RunningSystems::create(model, options));
  drop_rows(options.patches);
  for (SystemSpec& system : options.systems) drop_rows(system.patches);
  for (const RunningSystem& system : systems.all()) result.systems.push_back(system.record);
  if (!options.teacher.empty()) {
    result.teacher_sha256 = systems.of(System::kTeacher).identity["model"].get<std::string>();
  }

  LLMPATCH_ASSIGN(const std::uint64_t work, planned_work(suites, options));
  WorkProgress progress(report, work);
  EvalRun run{model,
              *systems.of(System::kBase).engine,
              options,
              systems,
              options.patches.empty() ? Stack{} : systems.of(System::kPatched).stack,
              cancel,
              progress,
              judges};
  for (const auto& planned : suites) {
    LLMPATCH_TRY(check_cancelled(cancel, "eval"));
    LLMPATCH_ASSIGN(const SuiteKind* kind, find_suite_kind(planned.suite.kind));
    if (kind->measure == nullptr) {
      LLMPATCH_ASSIGN(SuiteResult suite, evaluate_suite(run, planned, result.seconds));
      result.suites.push_back(std::move(suite));
      continue;
    }
    const PhaseTimer timer(result.seconds, "suite " + planned.suite.name);
    LLMPATCH_ASSIGN(MeasuredSuite suite, kind->measure(run, planned));
    finish(suite, reference_system(options), options.seed);
    result.measured.push_back(std::move(suite));
  }
  LLMPATCH_TRY(measure_extras(run, suites, result));
  adjust_p_values(result);
  result.generated_tokens = systems.generated_tokens();
  return result;
}

}  // namespace llmpatch
