#include "eval/drift.h"

#include <limits>
#include <numeric>

#include "eval/answer_divergence.h"
#include "eval/answers.h"
#include "eval/generation.h"

namespace llmpatch {
namespace {

// Greedy answers of one system, and the requests that score them under any.
class Writer {
 public:
  static Result<Writer> create(EvalRun& run, const PlannedSuite& planned, const System& system) {
    LLMPATCH_ASSIGN(auto answers,
                    answer_prompts(run, planned.prompts, system, planned.suite.max_tokens));
    return Writer(run, planned, system, std::move(answers));
  }

  // KL(writer || other) per token, prompt by prompt; NaN for an empty answer.
  Result<std::vector<double>> divergence_from(const System& other) {
    LLMPATCH_ASSIGN(const auto of_writer, requests_as(system_));
    LLMPATCH_ASSIGN(const auto of_other, requests_as(other));
    LLMPATCH_ASSIGN(
        const auto divergences,
        measure_divergence(of_writer, of_other, run_.engine_of(system_), run_.engine_of(other),
                           run_.cancel, run_.progress.phase("divergence")));
    std::vector<double> values;
    std::size_t next = 0;
    for (const Answer& answer : answers_) {
      if (continuation_of(model(), answer).empty()) {
        values.push_back(std::numeric_limits<double>::quiet_NaN());
        continue;
      }
      const auto& kl = divergences[next++].kl;
      values.push_back(std::accumulate(kl.begin(), kl.end(), 0.0) / static_cast<double>(kl.size()));
    }
    run_.progress.end_phase(answers_.size());
    return values;
  }

 private:
  Writer(EvalRun& run, const PlannedSuite& planned, const System& system,
         std::vector<Answer> answers)
      : run_(run), planned_(planned), system_(system), answers_(std::move(answers)) {}

  const Model& model() const { return run_.model_of(system_); }

  Result<std::vector<ScoreRequest>> requests_as(const System& reader) const {
    std::vector<ScoreRequest> requests;
    for (std::size_t i = 0; i < answers_.size(); ++i) {
      ScoreRequest request;
      request.continuation = continuation_of(model(), answers_[i]);
      if (request.continuation.empty()) continue;
      LLMPATCH_ASSIGN(request.prompt, encode_for(run_, planned_.prompts[i], reader));
      request.stack = run_.stack_of(reader);
      requests.push_back(std::move(request));
    }
    return requests;
  }

  EvalRun& run_;
  const PlannedSuite& planned_;
  System system_;
  std::vector<Answer> answers_;
};

Status check_vocabularies(const EvalRun& run) {
  for (const RunningSystem& system : run.systems.all()) {
    const std::size_t tokens = system.model->n_vocab();
    if (tokens == run.model.n_vocab()) continue;
    return make_error(ErrorKind::kMismatch, "eval",
                      "drift: found a " + system.system.label() + " of " + std::to_string(tokens) +
                          " tokens, expected the model's " + std::to_string(run.model.n_vocab()),
                      "leave the suite out, or take a model of the same family");
  }
  return {};
}

// Adds the divergence from `writer` to every other system.
Status add_divergences(EvalRun& run, const PlannedSuite& planned, const System& writer,
                       const std::string& name, MeasuredSuite& measured) {
  LLMPATCH_ASSIGN(Writer answers, Writer::create(run, planned, writer));
  for (SystemMetrics& system : measured.systems) {
    if (system.system == writer) continue;
    Metric metric{name, Scale::kMean, {}};
    LLMPATCH_ASSIGN(metric.values, answers.divergence_from(system.system));
    system.metrics.push_back(std::move(metric));
  }
  return {};
}

}  // namespace

Result<MeasuredSuite> measure_drift(EvalRun& run, const PlannedSuite& planned) {
  LLMPATCH_TRY(check_vocabularies(run));
  MeasuredSuite measured = begin_measurement(planned);
  measured.settings = {{"max_tokens", planned.suite.max_tokens}};
  for (const System& system : systems_of(run.options))
    measured.systems.push_back({system, {}, {}, {}});
  LLMPATCH_TRY(add_divergences(run, planned, System::kBase, "kl_from_base", measured));
  measured.headline = {"kl_from_base"};
  if (const auto reference = reference_system(run.options)) {
    LLMPATCH_TRY(add_divergences(run, planned, *reference, "kl_from_reference", measured));
    measured.headline.emplace_back("kl_from_reference");
    measured.settings["reference"] = system_name(*reference);
  }
  return measured;
}

Result<SuiteCost> drift_cost(const PlannedSuite& planned, const EvalOptions& options) {
  const std::size_t writers = reference_system(options) ? 2 : 1;
  const std::size_t readers = systems_of(options).size() - 1;
  const std::size_t n = planned.prompts.size();
  const auto tokens = n * static_cast<std::size_t>(planned.suite.max_tokens);
  SuiteCost cost;
  cost.work = writers * n * (1 + readers);
  cost.generated_tokens = writers * tokens;
  cost.scored_tokens = 2 * writers * readers * tokens;
  return cost;
}

}  // namespace llmpatch
