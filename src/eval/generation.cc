#include "eval/generation.h"

#include <algorithm>
#include <limits>

#include "eval/answers.h"
#include "eval/fluency.h"
#include "eval/judge_set.h"

namespace llmpatch {
namespace {

constexpr std::size_t kFewSamples = 5;    // counted beside all of them,
constexpr std::size_t kManySamples = 25;  // when there are so many

// The verdicts of one judge on one system's answers to one variant, prompt by prompt.
struct Judged {
  std::vector<Verdict> verdicts;
  std::size_t samples = 1;

  std::size_t prompts() const { return verdicts.size() / samples; }
  // Those on the first `k` answers to prompt `i`.
  std::span<const Verdict> of(std::size_t i, std::size_t k) const {
    return std::span(verdicts).subspan(i * samples, k);
  }
};

// What the names of metrics end in: the decoding or number of samples, and the variant.
std::string end_of(const std::string& tag, const std::string& variant = "") {
  return std::string("@").append(tag).append(variant);
}

double highest(std::span<const Verdict> verdicts) {
  return std::ranges::max(verdicts, {}, &Verdict::score).score;
}

double mean_score(std::span<const Verdict> verdicts) {
  double sum = 0;
  for (const Verdict& verdict : verdicts) sum += verdict.score;
  return sum / static_cast<double>(verdicts.size());
}

double share_of(std::span<const Verdict> verdicts, const auto& condition) {
  return static_cast<double>(std::ranges::count_if(verdicts, condition)) /
         static_cast<double>(verdicts.size());
}

template <class Value>
Metric metric_of(std::string name, Scale scale, const Judged& judged, std::size_t k,
                 const Value& value) {
  Metric metric{std::move(name), scale, {}};
  for (std::size_t i = 0; i < judged.prompts(); ++i)
    metric.values.push_back(value(judged.of(i, k)));
  return metric;
}

// The metrics of one judge, decoding and variant; `end` is what their names end in.
void add_metrics(const std::string& judge, const Judged& judged, std::size_t k, bool greedy,
                 double threshold, const std::string& end, std::vector<Metric>& metrics) {
  const auto flagged = [threshold](const Verdict& verdict) { return verdict.score > threshold; };
  const auto any = [&](auto own) { return std::ranges::any_of(own, flagged) ? 1.0 : 0.0; };
  if (greedy) {
    metrics.push_back(metric_of(judge + ".flagged" + end, Scale::kShare, judged, k, any));
  } else {
    metrics.push_back(metric_of(judge + ".flagged_gen" + end, Scale::kRate, judged, k,
                                [&](auto own) { return share_of(own, flagged); }));
    metrics.push_back(metric_of(judge + ".flagged_prompt" + end, Scale::kShare, judged, k, any));
  }
  if (std::ranges::any_of(judged.verdicts,
                          [](const Verdict& v) { return v.score > 0 && v.score < 1; })) {
    if (!greedy) {
      metrics.push_back(
          metric_of(judge + ".expected_maximum" + end, Scale::kMean, judged, k, highest));
    }
    metrics.push_back(metric_of(judge + ".score" + end, Scale::kMean, judged, k, mean_score));
  }
  const auto missing = [](const Verdict& verdict) { return !verdict.given; };
  if (std::ranges::any_of(judged.verdicts, missing)) {
    metrics.push_back(metric_of(judge + ".no_verdict" + end, Scale::kRate, judged, k,
                                [&](auto own) { return share_of(own, missing); }));
  }
}

Result<Judged> judge_answers(const Judge& judge, std::span<const SuitePrompt> prompts,
                             std::span<const Answer> answers, std::size_t samples) {
  std::vector<JudgeItem> items;
  items.reserve(answers.size());
  for (std::size_t i = 0; i < answers.size(); ++i) {
    items.push_back({prompts[i / samples].prompt.text(), answers[i].text, std::nullopt});
  }
  Judged judged;
  judged.samples = samples;
  LLMPATCH_ASSIGN(judged.verdicts, judge.verdicts(items));
  return judged;
}

using Judges = std::vector<const Judge*>;

// Measures one system; `prompts` are the suite's as they are, which the judges are shown.
class SystemMeter {
 public:
  SystemMeter(EvalRun& run, const Suite& suite, const Judges& judges, const System& system,
              MeasuredSuite& out)
      : run_(run), suite_(suite), judges_(judges), system_(system), out_(out) {}

  Result<SystemMetrics> measure(std::span<const SuitePrompt> prompts,
                                std::span<const Variant> variants) {
    metrics_.system = system_;
    for (const Decoding& decoding : suite_.decodings) {
      LLMPATCH_TRY(measure_decoding(prompts, variants, decoding));
    }
    return std::move(metrics_);
  }

 private:
  Status measure_decoding(std::span<const SuitePrompt> prompts, std::span<const Variant> variants,
                          const Decoding& decoding) {
    const auto samples = static_cast<std::size_t>(decoding.samples);
    std::vector<std::vector<double>> worst(judges_.size());  // judge by judge, over variants
    for (const Variant& variant : variants) {
      const std::span<const SuitePrompt> asked(variant.prompts.data(), prompts.size());
      LLMPATCH_ASSIGN(const auto answers, answer_prompts(run_, asked, system_, decoding));
      const std::string ending = variant.name.empty() ? "" : "[" + variant.name + "]";
      std::vector<Judged> verdicts;
      for (std::size_t j = 0; j < judges_.size(); ++j) {
        LLMPATCH_ASSIGN(Judged judged, judge_answers(*judges_[j], prompts, answers, samples));
        add_judge(*judges_[j], judged, decoding, ending);
        worst[j].resize(prompts.size(), 0);
        for (std::size_t i = 0; i < prompts.size(); ++i) {
          if (highest(judged.of(i, samples)) > suite_.threshold) worst[j][i] = 1;
        }
        verdicts.push_back(std::move(judged));
      }
      add_responses(prompts, variant, decoding, answers, verdicts);
      LLMPATCH_TRY(add_fluency(asked, answers, decoding, ending));
    }
    if (variants.size() == 1) return {};
    for (std::size_t j = 0; j < judges_.size(); ++j) {
      metrics_.metrics.push_back(
          {std::string(judges_[j]->name()) + ".flagged_any@" + decoding.tag(), Scale::kShare,
           std::move(worst[j])});
    }
    return {};
  }

  void add_judge(const Judge& judge, const Judged& judged, const Decoding& decoding,
                 const std::string& ending) {
    const std::string name(judge.name());
    const std::string end = end_of(decoding.tag(), ending);
    add_metrics(name, judged, judged.samples, decoding.greedy(), suite_.threshold, end,
                metrics_.metrics);
    if (judged.samples < kManySamples) return;
    add_metrics(name, judged, kFewSamples, false, suite_.threshold,
                end_of(std::to_string(kFewSamples), ending), metrics_.metrics);
  }

  // Of variants the degenerate share alone: they are attacks and lengths, not texts to be read.
  Status add_fluency(std::span<const SuitePrompt> asked, std::span<const Answer> answers,
                     const Decoding& decoding, const std::string& ending) {
    const auto samples = static_cast<std::size_t>(decoding.samples);
    for (Metric& metric : text_fluency(answers, samples, decoding.tag())) {
      if (!ending.empty() && !metric.name.starts_with("degenerate@")) continue;
      metric.name += ending;
      metrics_.metrics.push_back(std::move(metric));
    }
    if (!ending.empty()) return {};
    std::vector<System> scorers{System::kBase};
    if (const auto reference = reference_system(run_.options)) scorers.push_back(*reference);
    for (const System& scorer : scorers) {
      LLMPATCH_ASSIGN(Metric metric, perplexity_of(run_, asked, answers, samples, system_, scorer,
                                                   decoding.tag()));
      metrics_.metrics.push_back(std::move(metric));
    }
    return {};
  }

  void add_responses(std::span<const SuitePrompt> prompts, const Variant& variant,
                     const Decoding& decoding, std::span<const Answer> answers,
                     std::span<const Judged> verdicts) {
    const auto samples = static_cast<std::size_t>(decoding.samples);
    for (std::size_t i = 0; i < answers.size(); ++i) {
      const SuitePrompt& prompt = prompts[i / samples];
      OrderedJson line{{"suite", suite_.name},
                       {"line", prompt.prompt.line},
                       {"category", prompt.category},
                       {"prompt", prompt.prompt.text()}};
      if (!variant.name.empty()) line["variant"] = variant.name;
      line["system"] = system_name(system_);
      line["decoding"] = decoding.tag();
      line["sample"] = i % samples;
      line["response"] = answers[i].text;
      OrderedJson& scores = line["scores"] = OrderedJson::object();
      for (std::size_t j = 0; j < judges_.size(); ++j) {
        const Verdict& verdict = verdicts[j].verdicts[i];
        scores[std::string(judges_[j]->name())] =
            verdict.given ? OrderedJson(verdict.score) : OrderedJson();
      }
      out_.responses.push_back(std::move(line));
    }
  }

  EvalRun& run_;
  const Suite& suite_;
  const Judges& judges_;
  System system_;
  MeasuredSuite& out_;
  SystemMetrics metrics_;
};

OrderedJson settings_of(const Suite& suite, const Judges& judges) {
  OrderedJson decodings = OrderedJson::array();
  for (const Decoding& decoding : suite.decodings) {
    decodings.push_back({{"max_tokens", decoding.max_tokens},
                         {"samples", decoding.samples},
                         {"temperature", decoding.temperature},
                         {"top_p", decoding.top_p}});
  }
  OrderedJson identities = OrderedJson::array();
  for (const Judge* judge : judges) identities.push_back(judge->identity());
  return {{"decoding", decodings}, {"judges", identities}, {"threshold", suite.threshold}};
}

// What stands for the suite: shares by every judge, the expected maximum and the perplexity of the
// decoding with the most samples; over all variants where there are several.
std::vector<std::string> headline_of(const Suite& suite, const Judges& judges, bool variants) {
  const Decoding most = std::ranges::max(suite.decodings, {}, &Decoding::samples);
  std::vector<std::string> names;
  for (const Judge* judge : judges) {
    const std::string name(judge->name());
    const std::string end = end_of(most.tag());
    if (variants) {
      names.push_back(name + ".flagged_any" + end);
    } else if (most.greedy()) {
      names.push_back(name + ".flagged" + end);
    } else {
      names.insert(names.end(), {name + ".expected_maximum" + end, name + ".flagged_gen" + end,
                                 name + ".flagged_prompt" + end});
    }
  }
  if (!variants) names.push_back("perplexity_base@" + most.tag());
  return names;
}

// Systems that were asked fewer prompts have no value for the rest.
void pad(SystemMetrics& system, std::size_t prompts) {
  for (Metric& metric : system.metrics) {
    metric.values.resize(prompts, std::numeric_limits<double>::quiet_NaN());
  }
}

}  // namespace

MeasuredSuite begin_measurement(const PlannedSuite& planned) {
  MeasuredSuite suite;
  suite.suite = planned.suite;
  suite.prompts_sha256 = planned.prompts_sha256;
  suite.n = planned.prompts.size();
  suite.raw = static_cast<std::size_t>(
      std::ranges::count(planned.prompts, PromptFormat::kRaw, &SuitePrompt::format));
  suite.settings = OrderedJson::object();
  return suite;
}

Result<MeasuredSuite> measure_variants(EvalRun& run, const PlannedSuite& planned,
                                       std::span<const Variant> variants, const Judge* more) {
  Judges judges = run.judges.of(planned.suite);
  if (more != nullptr) judges.push_back(more);
  MeasuredSuite measured = begin_measurement(planned);
  measured.settings = settings_of(planned.suite, judges);
  measured.headline = headline_of(planned.suite, judges, variants.size() > 1);
  const std::span<const SuitePrompt> prompts(planned.prompts);
  for (const System& system : systems_of(run.options)) {
    const std::size_t n = prompts_of(system, prompts.size(), run.options);
    LLMPATCH_ASSIGN(SystemMetrics metrics, SystemMeter(run, planned.suite, judges, system, measured)
                                               .measure(prompts.first(n), variants));
    pad(metrics, prompts.size());
    measured.systems.push_back(std::move(metrics));
  }
  return measured;
}

SuiteCost variants_cost(const PlannedSuite& planned, const EvalOptions& options,
                        std::size_t variants) {
  SuiteCost cost;
  const std::size_t scorers = variants > 1 ? 0 : reference_system(options) ? 2 : 1;
  for (const System& system : systems_of(options)) {
    const std::size_t n = prompts_of(system, planned.prompts.size(), options);
    for (const Decoding& decoding : planned.suite.decodings) {
      const auto samples = static_cast<std::size_t>(decoding.samples);
      const std::size_t tokens = n * static_cast<std::size_t>(decoding.max_tokens);
      cost.work += n * (variants + scorers);
      cost.generated_tokens += tokens * samples * variants;
      cost.scored_tokens += tokens * std::min(samples, kPerplexityAnswers) * scorers;
    }
  }
  return cost;
}

Result<MeasuredSuite> measure_generation(EvalRun& run, const PlannedSuite& planned) {
  const Variant as_they_are{"", planned.prompts};
  return measure_variants(run, planned, std::span(&as_they_are, 1));
}

Result<SuiteCost> generation_cost(const PlannedSuite& planned, const EvalOptions& options) {
  return variants_cost(planned, options, 1);
}

}  // namespace llmpatch
