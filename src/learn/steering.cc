#include "learn/steering.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <optional>
#include <set>
#include <sstream>

#include "base/file.h"
#include "base/sha256.h"
#include "gguf/gguf_image.h"
#include "gguf/identity.h"
#include "learn/material.h"
#include "learn/run_directory.h"
#include "learn/settings.h"
#include "learn/teacher_model.h"
#include "learn/validator.h"

namespace llmpatch {
namespace {

constexpr std::size_t kPairs = 256;  // that the differences are measured on, at most
constexpr std::array<float, 6> kScales{1, 2, 3, 4, 6, 8};
constexpr std::size_t kTextsAtOnce = 8;  // whose logits are held
constexpr const char* kStage = "steering";
constexpr const char* kRunKey = "llmpatch.run";

// KL(p || q) in nats of two rows of logits.
double divergence_of(std::span<const float> p, std::span<const float> q) {
  const auto log_sum = [](std::span<const float> logits) {
    const double peak = *std::ranges::max_element(logits);
    double sum = 0;
    for (const float logit : logits) sum += std::exp(logit - peak);
    return peak + std::log(sum);
  };
  const double norm_p = log_sum(p), norm_q = log_sum(q);
  double sum = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    const double log_p = p[i] - norm_p;
    sum += std::exp(log_p) * (log_p - (q[i] - norm_q));
  }
  return std::max(0.0, sum);
}

struct Candidate {
  std::size_t block = 0;
  float scale = 0;
  Validation found;
};

std::string percent(double share) {
  std::ostringstream text;
  text.precision(3);
  text << 100 * share << " %";
  return text.str();
}

// One run, in the order in which it is done.
class SteeringLearner {
 public:
  SteeringLearner(const LearnOptions& options, const LearnHooks& hooks)
      : options_(options), hooks_(hooks) {
    options_.sft = options_.dpo = false;  // pairs and validation texts are made for no stage
  }

  Result<LearnReport> run() {
    LLMPATCH_TRY(open());
    if (already_written()) {
      LearnReport report;
      report.already_done = true;
      report.seconds = run_->seconds();
      return report;
    }
    LLMPATCH_TRY(check_overwrite());
    LLMPATCH_ASSIGN(material_, make_material({options_, hooks_, data_, *engine_,
                                              teacher_.model.get(), *judge_, *run_}));
    LLMPATCH_TRY(run_->timed("states", [&] { return measure_states(); }));
    Candidate best;
    LLMPATCH_TRY(run_->timed("validation", [&]() -> Status {
      LLMPATCH_ASSIGN(best, choose());
      return {};
    }));
    LLMPATCH_TRY(write(best));
    LLMPATCH_TRY(run_->set_done(kStage));
    LearnReport report;
    report.validation = best.found;
    report.seconds = run_->seconds();
    report.generated_tokens = engine_->stats().generated_tokens + generated_;
    return report;
  }

 private:
  Status open() {
    LLMPATCH_ASSIGN(const GgufFile file, GgufFile::open(options_.model));
    LLMPATCH_ASSIGN(identity_, compute_identity(file));
    LLMPATCH_ASSIGN(model_, Model::load(options_.model));
    LLMPATCH_ASSIGN(engine_, Engine::create(*model_, engine_options(options_)));
    LLMPATCH_ASSIGN(judge_, make_judge(options_.judge, {options_.data, hooks_.cancel}));
    LLMPATCH_ASSIGN(teacher_, open_teacher(options_, *model_, identity_.file));
    LLMPATCH_ASSIGN(data_, read_learn_data(options_, *model_));
    LLMPATCH_TRY(check_teacher_formats(options_, teacher_, data_));
    LLMPATCH_ASSIGN(RunDirectory directory, RunDirectory::open(options_.run));
    run_ = std::make_unique<RunDirectory>(std::move(directory));
    std::vector<StageRecord> stages =
        plan_stages(options_, data_, identity_.file, teacher_.digest, kStage, judge_->identity());
    Sha256 validated;
    for (const auto* prompts : {&data_.validate, &data_.validate_retain}) {
      for (const Prompt& prompt : *prompts) validated.update(prompt.digest());
    }
    stages.push_back({kStage,
                      {"pairs", "retain"},
                      {{"pairs", kPairs},
                       {"scales", kScales},
                       {"validate", validated.finish()},
                       {"validate_tokens", options_.validate_tokens},
                       {"divergence_limit", options_.divergence_limit},
                       {"max_over_refusal", options_.max_over_refusal}},
                      {}});
    LLMPATCH_ASSIGN(const auto changes, run_->adopt(stages));
    for (const std::string& change : changes) hooks_.tell("changed setting " + change);
    return {};
  }

  // Whether the file at the output is this run's.
  bool already_written() const {
    if (!run_->done(kStage)) return false;
    const auto file = GgufFile::open(options_.output, "control vector");
    if (!file.ok()) return false;
    const auto key = file->string(kRunKey);
    return key.ok() && *key == run_->key(kStage);
  }

  Status check_overwrite() const {
    std::error_code code;
    if (options_.force || !std::filesystem::exists(options_.output, code)) return {};
    return make_error(ErrorKind::kExists, "learn", options_.output.string() + ": it exists already",
                      "choose another file or say --force");
  }

  Status measure_states() {
    std::vector<Pair> pairs;
    for (const std::size_t i : spread_places(material_.set.pairs.size(), kPairs)) {
      pairs.push_back(material_.set.pairs[i]);
    }
    LLMPATCH_ASSIGN(differences_, mean_difference(*model_, pairs, options_.threads, false,
                                                  hooks_.cancel, hooks_.begin("states", "pairs")));
    return {};
  }

  SteeringFile file_of(std::size_t block, float scale) const {
    SteeringFile file;
    file.name = options_.manifest.name;
    file.architecture = model_->architecture();
    file.blocks = differences_.blocks;
    file.block = block;
    for (const float value : differences_.of(block)) file.direction.push_back(scale * value);
    return file;
  }

  Result<Candidate> choose() {
    const std::size_t n = differences_.blocks;
    std::set<std::size_t> blocks;
    for (const std::size_t block : {n / 3, n / 2, 2 * n / 3}) {
      if (block > 0) blocks.insert(block);
    }
    LLMPATCH_TRY(run_->rewind_metrics(kStage, -1));
    const ProgressFn progress = hooks_.begin(kStage, "candidates");
    const std::size_t total = blocks.size() * kScales.size();
    std::optional<Candidate> best;
    std::size_t done = 0;
    for (const std::size_t block : blocks) {
      for (const float scale : kScales) {
        LLMPATCH_TRY(check_cancelled(hooks_.cancel, "learn"));
        Candidate candidate{block, scale, {}};
        LLMPATCH_ASSIGN(candidate.found, measure(candidate));
        LLMPATCH_TRY(run_->log(json_line(OrderedJson{{"stage", kStage},
                                                     {"step", ++done},
                                                     {"block", block},
                                                     {"scale", scale},
                                                     {"refused", candidate.found.refused},
                                                     {"over_refused", candidate.found.over_refused},
                                                     {"kl", candidate.found.divergence},
                                                     {"score", candidate.found.score}})));
        if (progress) progress(done, total, "");
        if (!allowed(candidate.found) && !options_.force) continue;
        if (!best || candidate.found.score > best->found.score) best = candidate;
      }
    }
    if (best) return *best;
    return make_error(
        ErrorKind::kUnmet, "learn",
        "every control vector refuses benign prompts: found none on validation that keeps to " +
            percent(material_.validation.base_share() + options_.max_over_refusal),
        "--force writes the best one anyway");
  }

  bool allowed(const Validation& found) const {
    return found.over_refused - material_.validation.base_share() <= options_.max_over_refusal;
  }

  // As Validator does for rows: refusals and divergence, on the weights served.
  Result<Validation> measure(const Candidate& candidate) {
    const std::filesystem::path path = run_->file("candidate.gguf");
    LLMPATCH_TRY(write_file_atomic(
        path, control_vector_bytes(file_of(candidate.block, candidate.scale)), Overwrite::kYes));
    EngineOptions steered = engine_options(options_);
    steered.adapters.control_vector = ControlVector{path, 1, 0, 0};
    LLMPATCH_ASSIGN(const auto engine, Engine::create(*model_, steered));
    const ValidationSet& set = material_.validation;
    LLMPATCH_ASSIGN(const auto harmful, answer(*engine, set.harmful, set.harmful_formats));
    LLMPATCH_ASSIGN(const auto benign, answer(*engine, set.benign, set.benign_formats));
    LLMPATCH_ASSIGN(Validation found, judge_answers(*judge_, harmful, benign));
    LLMPATCH_ASSIGN(found.divergence, divergence(*engine, set.benign_texts));
    found.score = checkpoint_score(found, score_limits(*judge_, set, options_.divergence_limit));
    generated_ += engine->stats().generated_tokens;
    return found;
  }

  Result<std::vector<JudgeItem>> answer(Engine& engine, const std::vector<Prompt>& prompts,
                                        const std::vector<PromptFormat>& formats) const {
    std::vector<GenerateRequest> requests;
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      GenerateRequest request;
      LLMPATCH_ASSIGN(request.prompt, encode_prompt(*model_, prompts[i], formats[i]));
      request.max_tokens = options_.validate_tokens;
      requests.push_back(std::move(request));
    }
    LLMPATCH_ASSIGN(const auto completions, engine.generate(requests, hooks_.cancel));
    std::vector<JudgeItem> items;
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      items.push_back({prompts[i].text(), completions[i].text, std::nullopt});
    }
    return items;
  }

  // Mean KL(base || steered) per token over the base model's own answers.
  Result<double> divergence(Engine& steered, const std::vector<Retained>& texts) {
    double sum = 0;
    for (std::size_t first = 0; first < texts.size(); first += kTextsAtOnce) {
      std::vector<ScoreRequest> requests;
      for (std::size_t i = first; i < std::min(first + kTextsAtOnce, texts.size()); ++i) {
        requests.push_back({texts[i].prompt, texts[i].answer, {}});
      }
      std::vector<std::vector<std::vector<float>>> base(requests.size());
      LLMPATCH_TRY(engine_->logits(
          requests,
          [&](std::size_t i, std::size_t, std::span<const float> logits) {
            base[i].emplace_back(logits.begin(), logits.end());
          },
          hooks_.cancel));
      LLMPATCH_TRY(steered.logits(
          requests,
          [&](std::size_t i, std::size_t position, std::span<const float> logits) {
            sum += divergence_of(base[i][position], logits) / static_cast<double>(base[i].size());
          },
          hooks_.cancel));
    }
    return texts.empty() ? 0 : sum / static_cast<double>(texts.size());
  }

  Status write(const Candidate& best) {
    Json learned = learned_record(options_, data_, teacher_.digest, kStage, judge_->identity());
    learned["method"] = kStage;
    learned["block"] = best.block;
    learned["scale"] = best.scale;
    learned["pairs"] = std::min(material_.set.pairs.size(), kPairs);
    learned["base"] = identity_.file;
    SteeringFile file = file_of(best.block, best.scale);
    file.learned = json_line(learned);
    file.run = run_->key(kStage);
    hooks_.tell("steering: behind block " + std::to_string(best.block) + ", " +
                std::to_string(static_cast<int>(best.scale)) + " times the difference: refused " +
                percent(best.found.refused) + ", over-refused " + percent(best.found.over_refused) +
                ", KL " + std::to_string(best.found.divergence) + " (validation)");
    return write_file_atomic(options_.output, control_vector_bytes(file),
                             options_.force ? Overwrite::kYes : Overwrite::kNo);
  }

  LearnOptions options_;
  const LearnHooks& hooks_;
  BaseIdentity identity_;
  std::unique_ptr<Model> model_;
  TeacherModel teacher_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Judge> judge_;
  std::unique_ptr<RunDirectory> run_;
  LearnData data_;
  Material material_;
  BlockStates differences_;
  std::uint64_t generated_ = 0;
};

}  // namespace

Result<BlockStates> mean_difference(const Model& model, std::span<const Pair> pairs, int threads,
                                    bool exact, const CancelFlag* cancel,
                                    const ProgressFn& progress) {
  std::size_t longest = 1, counted = 0;
  for (const Pair& pair : pairs) {
    longest =
        std::max(longest, pair.prompt.size() + std::max(pair.chosen.size(), pair.rejected.size()));
    if (!pair.chosen.empty() && !pair.rejected.empty()) ++counted;
  }
  if (counted == 0) {
    return make_error(ErrorKind::kUnmet, "learn",
                      "pairs: found none with both answers, expected at least one");
  }
  LLMPATCH_ASSIGN(const auto reader, BlockReader::create(model, longest, threads, exact));
  BlockStates difference;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    LLMPATCH_TRY(check_cancelled(cancel, "learn"));
    const Pair& pair = pairs[i];
    if (pair.chosen.empty() || pair.rejected.empty()) continue;
    LLMPATCH_ASSIGN(const BlockStates chosen, reader->mean(pair.prompt, pair.chosen));
    LLMPATCH_ASSIGN(const BlockStates rejected, reader->mean(pair.prompt, pair.rejected));
    if (difference.values.empty()) {
      difference = chosen;
      difference.values.assign(chosen.values.size(), 0);
    }
    for (std::size_t j = 0; j < difference.values.size(); ++j) {
      difference.values[j] += (chosen.values[j] - rejected.values[j]) / static_cast<float>(counted);
    }
    if (progress) progress(i + 1, pairs.size(), "");
  }
  return difference;
}

std::string control_vector_bytes(const SteeringFile& file) {
  GgufImage image;
  image.text("general.architecture", "controlvector");
  if (!file.name.empty()) image.text("general.name", file.name);
  image.text("controlvector.model_hint", file.architecture);
  image.i32("controlvector.layer_count", static_cast<std::int32_t>(file.blocks) - 1);
  if (!file.learned.empty()) image.text("llmpatch.learned", file.learned);
  if (!file.run.empty()) image.text(kRunKey, file.run);
  image.floats("direction." + std::to_string(file.block), file.direction);
  return image.bytes();
}

Result<LearnReport> learn_steering(const LearnOptions& options, const LearnHooks& hooks) {
  return SteeringLearner(options, hooks).run();
}

}  // namespace llmpatch
