#include "eval/compose.h"

#include <algorithm>
#include <chrono>

#include "base/file_digest.h"
#include "eval/compose_figures.h"

namespace llmpatch {
namespace {

Error invalid(const std::string& message, const std::string& hint = "") {
  return make_error(ErrorKind::kInvalidArgument, "compose", message, hint);
}

std::string listed(const std::vector<std::string_view>& words) {
  std::string text;
  for (const std::string_view word : words) {
    if (!text.empty()) text += ", ";
    text += word;
  }
  return text;
}

// What measures patch `place`.
Result<MetricName> domain_of(const ComposeOptions& options, std::size_t place) {
  const std::string& name = options.eval.patches[place].name;
  const std::string& risk = options.risks[place];
  const auto given = options.metrics.find(name);
  if (given != options.metrics.end()) {
    const std::string& suite = given->second.suite;
    if (std::ranges::find(options.eval.suites, suite, &Suite::name) != options.eval.suites.end()) {
      return given->second;
    }
    return invalid("metric of " + name + ": found suite '" + suite +
                   "', expected one of those measured (--eval)");
  }
  if (const auto metric = domain_metric(risk, options.eval.suites)) return *metric;
  const std::vector<std::string_view> suites = domain_suites(risk);
  if (suites.empty()) {
    return invalid("patch " + name + ": found risk '" + risk +
                       "', for which no suite is known that measures it",
                   "say which metric does: --metric " + name + "=SUITE:METRIC");
  }
  return invalid("patch " + name + ", risk '" + risk +
                     "': found no suite that measures it, expected "
                     "one of " +
                     listed(suites),
                 "add it with --eval, or say --metric " + name + "=SUITE:METRIC");
}

Result<std::vector<MetricName>> domains_of(const ComposeOptions& options) {
  for (const auto& [name, metric] : options.metrics) {
    const auto& patches = options.eval.patches;
    if (std::ranges::find(patches, name, &EvalPatch::name) == patches.end()) {
      return invalid("metric " + metric.text() + ": found patch '" + name +
                     "', expected one of those composed");
    }
  }
  std::vector<MetricName> domains;
  for (std::size_t i = 0; i < options.eval.patches.size(); ++i) {
    LLMPATCH_ASSIGN(MetricName domain, domain_of(options, i));
    domains.push_back(std::move(domain));
  }
  return domains;
}

// The evaluation of `mode`. Times and compliance are not what a study of composition asks.
EvalOptions options_of(const EvalOptions& study, const ComposeMode& mode) {
  EvalOptions options = study;
  options.compose = mode.compose;
  options.timing_prompts = options.compliance_limit = options.examples = 0;
  options.patches.clear();
  for (const std::size_t patch : mode.patches) options.patches.push_back(study.patches[patch]);
  // What has no order is run in that of the names, as everywhere: so the same set gives the same
  // bytes, and finds the same cache.
  if (mode.compose == Compose::kParallel) {
    std::ranges::sort(options.patches, {}, &EvalPatch::name);
  }
  return options;
}

Status check_domains(const ComposeTable& table) {
  for (const StudiedPatch& patch : table.patches) {
    if (table.find(patch.domain) != nullptr) continue;
    std::vector<std::string_view> known;
    for (const ModeMetric& metric : table.metrics) {
      if (metric.suite == patch.domain.suite) known.push_back(metric.base.name);
    }
    return invalid("metric of " + patch.name + ": found " + patch.domain.metric +
                   ", expected one of " + patch.domain.suite + ": " + listed(known));
  }
  return {};
}

}  // namespace

Result<ComposePlan> plan_compose(const ComposeOptions& options, const Model& model) {
  const std::size_t patches = options.eval.patches.size();
  if (patches < 2) {
    return invalid("patches: found " + std::to_string(patches) + ", expected at least two");
  }
  const std::size_t modes = count_compose_modes(patches, options.orders);
  if (modes > options.max_modes) {
    return make_error(ErrorKind::kLimit, "compose",
                      "modes of " + std::to_string(patches) + " patches: found " +
                          std::to_string(modes) + ", expected at most " +
                          std::to_string(options.max_modes),
                      "compose fewer patches, take --orders two, or raise --max-modes");
  }
  ComposePlan plan;
  LLMPATCH_ASSIGN(plan.domains, domains_of(options));
  plan.modes = compose_modes(patches, options.orders);
  plan.over_refusal = std::ranges::any_of(options.eval.suites, measures_over_refusal);
  EvalOptions base = options_of(options.eval, plan.modes.front());
  LLMPATCH_ASSIGN(const EvalPlan both, plan_eval(base, model));
  base.patches.clear();
  LLMPATCH_ASSIGN(const EvalPlan alone, plan_eval(base, model));
  plan.prompts = both.prompts;
  plan.generated_tokens =
      alone.generated_tokens + modes * (both.generated_tokens - alone.generated_tokens);
  plan.scored_tokens = modes * both.scored_tokens;
  return plan;
}

Result<ComposeResult> run_compose(const Model& model, const ComposeOptions& options,
                                  const CancelFlag* cancel, const ProgressFn& progress,
                                  const OnMode& on_mode) {
  LLMPATCH_ASSIGN(const ComposePlan plan, plan_compose(options, model));
  ComposeResult result;
  result.options = options;
  EvalOptions& eval = result.options.eval;
  if (eval.model_sha256.empty()) {  // once for all modes
    LLMPATCH_ASSIGN(eval.model_sha256, sha256_of_file(model.path(), "base model"));
  }
  result.model_path = model.path().string();
  result.model_sha256 = eval.model_sha256;
  result.architecture = model.architecture();
  ComposeTable& table = result.table;
  table.modes = plan.modes;
  for (std::size_t i = 0; i < eval.patches.size(); ++i) {
    const EvalPatch& patch = eval.patches[i];
    table.patches.push_back(
        {patch.name, patch.version, patch.digest, options.risks[i], plan.domains[i]});
  }
  const std::vector<std::string> names = table.names();
  for (std::size_t i = 0; i < table.modes.size(); ++i) {
    const ComposeMode& mode = table.modes[i];
    const std::string label = mode_label(mode, names);
    const ProgressFn report = [&](std::uint64_t done, std::uint64_t total,
                                  const std::string& note) {
      if (!progress) return;
      progress(i * total + done, table.modes.size() * total, label + ": " + note);
    };
    const auto start = std::chrono::steady_clock::now();
    LLMPATCH_ASSIGN(const EvalResult found,
                    run_eval(model, options_of(eval, mode), cancel, report));
    add_mode(found, table);
    if (i == 0) LLMPATCH_TRY(check_domains(table));
    result.generated_tokens += found.generated_tokens;
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
    result.seconds.emplace_back(label, spent.count());
    if (on_mode) LLMPATCH_TRY(on_mode(mode, found));
  }
  for (EvalPatch& patch : eval.patches) patch.rows.values = {};
  summarise_table(table, eval.seed);
  result.recommendation = recommend(table, options.limits, eval.seed);
  return result;
}

}  // namespace llmpatch
