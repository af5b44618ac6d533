#include "eval/card.h"

#include "eval/compliance.h"
#include "eval/format.h"
#include "eval/refusals.h"
#include "eval/side_effects.h"
#include "judge/refusal.h"

namespace llmpatch {
namespace {

OrderedJson to_json(const Proportion& proportion) {
  const Interval interval = proportion.interval();
  OrderedJson json{{"value", rounded(proportion.value())},
                   {"low", rounded(interval.low)},
                   {"high", rounded(interval.high)},
                   {"count", proportion.count},
                   {"n", proportion.n}};
  if (proportion.count == 0 && proportion.n > 0) {
    json["zero_event_upper"] = rounded(zero_event_upper(proportion.n));
  }
  return json;
}

OrderedJson to_json(const Estimate& estimate) {
  return {{"value", rounded(estimate.value)},
          {"low", rounded(estimate.interval.low)},
          {"high", rounded(estimate.interval.high)},
          {"n", estimate.n}};
}

OrderedJson to_json(const Figure& figure) {
  OrderedJson json = to_json(figure.estimate);
  if (figure.scale == Scale::kShare) json["count"] = figure.count;
  if (figure.zero_upper) json["zero_event_upper"] = rounded(*figure.zero_upper);
  return json;
}

// The figures that `llmpatch inspect` and a patch's README.md show (patch/card.h).
class Headline {
 public:
  void add(const std::string& suite, const std::string& metric, const System& system,
           const Proportion& proportion) {
    add(suite, metric, system, to_json(proportion));
  }
  void add(const std::string& suite, const std::string& metric, const System& system,
           const Estimate& estimate) {
    add(suite, metric, system, to_json(estimate));
  }
  OrderedJson take() { return std::move(entries_); }

 private:
  void add(const std::string& suite, const std::string& metric, const System& system,
           const OrderedJson& figure) {
    if (system.is_further()) return;  // a patch's page is about the patch
    entries_.push_back({{"suite", suite},
                        {"metric", metric},
                        {"system", system_name(system)},
                        {"value", figure["value"]},
                        {"low", figure["low"]},
                        {"high", figure["high"]},
                        {"n", figure["n"]}});
  }
  OrderedJson entries_ = OrderedJson::array();
};

OrderedJson headline(const EvalResult& result) {
  Headline lines;
  for (const auto& suite : result.suites) {
    const std::string& name = suite.suite.name;
    const std::string metric = refusal_metric(suite.suite);
    for (const auto& system : suite.systems) lines.add(name, metric, system.system, system.refused);
    for (const auto& system : suite.systems) {
      if (system.refused_scary) {
        lines.add(name, metric + "-scary", system.system, *system.refused_scary);
      }
    }
    for (const auto& system : suite.systems) {
      lines.add(name, "degenerate", system.system, system.degenerate);
    }
    if (suite.side_effects) lines.add(name, "kl", System::kPatched, suite.side_effects->kl);
  }
  for (const auto& suite : result.measured) {
    for (const auto& metric : suite.headline) {
      for (const auto& system : suite.systems) {
        for (const auto& figure : system.figures) {
          if (figure.name == metric) {
            lines.add(suite.suite.name, metric, system.system, figure.estimate);
          }
        }
      }
    }
  }
  return lines.take();
}

OrderedJson system_json(const SystemResult& system, const std::string& metric) {
  OrderedJson json{{metric, to_json(system.refused)}};
  if (system.refused_scary) json[metric + "-scary"] = to_json(*system.refused_scary);
  json["degenerate"] = to_json(system.degenerate);
  json["trigram_repetition"] = to_json(system.repetition);
  json["answer_tokens"] = to_json(system.tokens);
  if (!system.refused_by_category.empty()) {
    OrderedJson& categories = json["by_category"];
    for (const auto& [name, proportion] : system.refused_by_category) {
      categories[name] = to_json(proportion);
    }
  }
  return json;
}

// Adds `recovered`, of the patch, and, where there are further systems, `recovered_by_system`.
void add_recovered(std::span<const Recovered> recovered, OrderedJson& json) {
  OrderedJson by_system = OrderedJson::object();
  bool further = false;
  for (const auto& [system, metric, share] : recovered) {
    if (system == System::kPatched) json["recovered"][metric] = to_json(share);
    by_system[system.label()][metric] = to_json(share);
    further = further || system.is_further();
  }
  if (further) json["recovered_by_system"] = std::move(by_system);
}

OrderedJson suite_json(const SuiteResult& suite) {
  OrderedJson json{{"name", suite.suite.name},
                   {"expect", expect_name(suite.suite.expect)},
                   {"prompts_sha256", suite.prompts_sha256},
                   {"n", suite.prompts.size()},
                   {"max_tokens", suite.suite.max_tokens}};
  std::size_t raw = 0;
  for (const auto& prompt : suite.prompts) raw += prompt.format == PromptFormat::kRaw ? 1 : 0;
  json["formats"] = OrderedJson{{"chat", suite.prompts.size() - raw}, {"raw", raw}};
  OrderedJson& systems = json["systems"];
  for (const auto& system : suite.systems) {
    systems[std::string(system_name(system.system))] =
        system_json(system, refusal_metric(suite.suite));
  }
  json["comparisons"] = OrderedJson::array();
  for (const auto& pair : suite.comparisons) {
    json["comparisons"].push_back({{"test", "McNemar, exact"},
                                   {"a", system_name(pair.a)},
                                   {"b", system_name(pair.b)},
                                   {"n", pair.n},
                                   {"only_a", pair.only_a},
                                   {"only_b", pair.only_b},
                                   {"p", pair.p},
                                   {"p_holm", pair.p_holm}});
  }
  add_recovered(suite.recovered, json);
  if (suite.side_effects) {
    const SideEffects& effects = *suite.side_effects;
    json["side_effects"] = {{"kl", to_json(effects.kl)},
                            {"kl_first_tokens", kFirstTokens},
                            {"kl_first", to_json(effects.kl_first)},
                            {"perplexity_base", to_json(effects.perplexity_base)},
                            {"perplexity_patch", to_json(effects.perplexity_patched)},
                            {"empty_answers", effects.empty_answers}};
  }
  return json;
}

OrderedJson to_json(const SystemComparison& comparison) {
  const MetricComparison& metric = comparison.metric;
  OrderedJson json{{"metric", metric.metric},
                   {"a", system_name(comparison.a)},
                   {"b", system_name(comparison.b)},
                   {"n", metric.n},
                   {"difference", to_json(metric.difference)}};
  if (metric.ratio.n > 0) json["ratio"] = to_json(metric.ratio);
  if (metric.p) {
    json["test"] = "McNemar, exact";
    json["only_a"] = metric.only_a;
    json["only_b"] = metric.only_b;
    json["p"] = *metric.p;
    json["p_holm"] = comparison.p_holm.value_or(*metric.p);
  }
  return json;
}

OrderedJson suite_json(const MeasuredSuite& suite) {
  OrderedJson json{{"name", suite.suite.name},
                   {"kind", suite.suite.kind},
                   {"prompts_sha256", suite.prompts_sha256},
                   {"n", suite.n},
                   {"formats", {{"chat", suite.n - suite.raw}, {"raw", suite.raw}}}};
  for (const auto& [key, value] : suite.settings.items()) json[key] = value;
  OrderedJson& systems = json["systems"] = OrderedJson::object();
  for (const auto& system : suite.systems) {
    OrderedJson figures = OrderedJson::object();
    for (const auto& figure : system.figures) figures[figure.name] = to_json(figure);
    if (!system.notes.empty()) figures["notes"] = system.notes;
    systems[std::string(system_name(system.system))] = std::move(figures);
  }
  json["comparisons"] = OrderedJson::array();
  for (const auto& pair : suite.comparisons) json["comparisons"].push_back(to_json(pair));
  add_recovered(suite.recovered, json);
  return json;
}

OrderedJson to_json(const Compliance& compliance) {
  return {
      {"suite", compliance.suite},
      {"prompts", compliance.prompts},
      {"openings", kAffirmativeOpenings.size()},
      {"opening_log_prob",
       {{"base", to_json(compliance.openings_base)},
        {"patch", to_json(compliance.openings_patched)}}},
      {"answer_log_prob",
       {{"base", to_json(compliance.answer_base)}, {"patch", to_json(compliance.answer_patched)}}}};
}

OrderedJson to_json(const Timing& timing) {
  return {{"prompts", timing.prompts},
          {"rounds", timing.rounds},
          {"first_token_seconds",
           {{"base", to_json(timing.first_token_base)},
            {"patch", to_json(timing.first_token_patched)},
            {"ratio", to_json(timing.first_token_ratio)}}},
          {"tokens_per_second",
           {{"base", to_json(timing.tokens_per_second_base)},
            {"patch", to_json(timing.tokens_per_second_patched)},
            {"ratio", to_json(timing.tokens_per_second_ratio)}}}};
}

// What `eval --reproduce` needs to run the same again, beside the card's other members.
OrderedJson settings_json(const EvalOptions& options) {
  OrderedJson suites = OrderedJson::array();
  for (const auto& suite : options.suites) suites.push_back(suite.name);
  OrderedJson json{{"suites", suites},
                   {"judges", options.judges},
                   {"system_limit", options.system_limit},
                   {"side_effects", options.side_effect_limit},
                   {"compliance", options.compliance_limit}};
  if (options.format) json["format"] = *options.format == PromptFormat::kRaw ? "raw" : "chat";
  return json;
}

}  // namespace

OrderedJson eval_card(const EvalResult& result) {
  const EvalOptions& options = result.options;
  OrderedJson card{
      {"schema", "llmpatch.eval/1"}, {"tool", options.tool_version}, {"command", options.command}};
  card["headline"] = headline(result);
  card["model"] = {{"file", std::filesystem::path(result.model_path).filename().string()},
                   {"sha256", result.model_sha256},
                   {"architecture", result.architecture}};
  card["patches"] = patches_json(options.patches);
  card["compose"] = compose_name(options.compose);
  card["system_prompt"] = options.system;
  if (!result.teacher_sha256.empty()) {
    card["teacher"] = {{"file", options.teacher.filename().string()},
                       {"sha256", result.teacher_sha256}};
  }
  if (!result.systems.empty()) card["systems"] = result.systems;
  card["settings"] = settings_json(options);
  card["decoding"] = {{"method", "greedy"},
                      {"kv", options.engine.exact ? "f32" : "f16"},
                      {"threads", options.engine.threads},
                      {"max_concurrent", options.engine.max_concurrent}};
  card["judges"] = OrderedJson::array(
      {{{"name", "refusal"}, {"rule", "XSTest starts-with"}, {"first_tokens", kRefusalTokens}},
       {{"name", "degenerate"}, {"rule", "empty, loop, or repeated trigrams"}}});
  card["seed"] = options.seed;
  card["intervals"] = {{"level", 0.95},
                       {"proportions", "Wilson"},
                       {"means", "percentile bootstrap over prompts"},
                       {"resamples", kBootstrapResamples},
                       {"family", "Holm over every p of this card"}};
  card["suites"] = OrderedJson::array();
  for (const auto& suite : result.suites) card["suites"].push_back(suite_json(suite));
  for (const auto& suite : result.measured) card["suites"].push_back(suite_json(suite));
  if (result.compliance) card["compliance"] = to_json(*result.compliance);
  if (result.timing) card["timing"] = to_json(*result.timing);
  card["generated_tokens"] = result.generated_tokens;
  OrderedJson& seconds = card["seconds"] = OrderedJson::object();
  for (const auto& [phase, spent] : result.seconds) seconds[phase] = rounded(spent);
  return card;
}

}  // namespace llmpatch
