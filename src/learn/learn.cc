#include "learn/learn.h"

#include <ATen/Parallel.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iterator>
#include <limits>
#include <memory>
#include <sstream>

#include "base/cores.h"
#include "base/file.h"
#include "gguf/identity.h"
#include "learn/check_options.h"
#include "learn/examples.h"
#include "learn/joint.h"
#include "learn/learn_data.h"
#include "learn/material.h"
#include "learn/method.h"
#include "learn/plan.h"
#include "learn/processor.h"
#include "learn/reference.h"
#include "learn/risks.h"
#include "learn/run_directory.h"
#include "learn/settings.h"
#include "learn/steering.h"
#include "learn/teacher_model.h"
#include "learn/threshold.h"
#include "learn/transformer.h"
#include "learn/validator.h"
#include "runtime/engine.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kDirectionPrompts = 256;  // of each kind, of setting the threshold

// Every step takes and frees the same large tensors. Left to itself glibc gives each of them back
// to the system at once and then takes it again page by page, which was 15 % of a step.
void keep_freed_memory() {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, std::numeric_limits<int>::max());
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
#endif
}

// One run of `learn`: the models, the data and the stages, in the order they are done.
class Learner {
 public:
  Learner(const LearnOptions& options, const LearnHooks& hooks)
      : options_(options), hooks_(hooks) {}

  Result<LearnReport> run() {
    LLMPATCH_TRY(check_learn_options(options_));
    keep_freed_memory();
    LLMPATCH_TRY(check_output());
    LLMPATCH_TRY(open_model());
    LLMPATCH_ASSIGN(
        method_,
        make_method({options_, *file_, *model_, options_.run / "validated.gguf"}, options_.method));
    LLMPATCH_TRY(read_data());
    LLMPATCH_TRY(check_teacher_formats(options_, teacher_, data_));
    LLMPATCH_ASSIGN(auto directory, RunDirectory::open(options_.run));
    run_ = std::make_unique<RunDirectory>(std::move(directory));
    if (!options_.share.empty()) LLMPATCH_TRY(run_->share(options_.share));
    const auto stages = plan_stages(options_, data_, identity_.file, teacher_.digest,
                                    name_of(arithmetic_), judge().identity());
    LLMPATCH_ASSIGN(const auto changes, run_->adopt(stages));
    for (const auto& change : changes) hooks_.tell("changed setting " + change);
    last_stage_ = stages.back().name;
    if (run_->done(last_stage_) && written_already()) {
      report_.already_done = true;
      LLMPATCH_ASSIGN(const StageState state, load(run_->file(last_stage_ + ".state")));
      if (!data_.runs.empty()) {
        LLMPATCH_ASSIGN(report_.risks, read_baseline(*run_, data_.runs));
      }
      report(state);
      LLMPATCH_TRY(record());
      return report_;
    }
    if (!options_.force && !written_already()) {
      LLMPATCH_TRY(llmpatch::check_output(options_.method, options_.output, Overwrite::kNo));
    }
    LLMPATCH_TRY(record());
    hooks_.tell(
        plan_text(options_, data_, name_of(arithmetic_), at::get_num_threads()) +
        teacher_plan(options_, teacher_, teacher_tokens(options_, data_), *options_.reference));
    LLMPATCH_ASSIGN(material_, make_material({options_, hooks_, data_, *engine_,
                                              teacher_.model.get(), judge(), *run_}));
    add_risks();
    LLMPATCH_ASSIGN(transformer_, load_transformer(*file_, arithmetic_));
    LLMPATCH_TRY(fill_hidden());
    LLMPATCH_TRY(add_companions());
    validator_ = std::make_unique<Validator>(
        *engine_, *transformer_, *method_, judge(), material_.validation,
        ValidatorOptions{options_.validate_tokens, options_.validate_samples,
                         nucleus_sampling(options_), options_.divergence_limit},
        hooks_.cancel);
    if (!data_.runs.empty()) LLMPATCH_TRY(set_baseline());
    LLMPATCH_ASSIGN(torch::Tensor rows, method_->initial(*transformer_));
    StageState state;
    if (options_.sft) {
      LLMPATCH_ASSIGN(state, train("sft", options_.sft_stage, rows, {}));
      if (options_.over_refusal > 0) LLMPATCH_TRY(set_threshold(state));
      rows = state.best_rows;
    }
    if (options_.dpo) {
      LLMPATCH_TRY(make_reference(rows));
      LLMPATCH_ASSIGN(state, train("dpo", options_.dpo_stage, rows, state));
    }
    LLMPATCH_TRY(catch_bad(state));
    LLMPATCH_TRY(write(state.best_rows));
    report(state);
    report_.generated_tokens =
        engine_->stats().generated_tokens + validator_->generated_elsewhere();
    return report_;
  }

 private:
  // Whether the patch may be written at all, before anything else is done. A patch that is there
  // may be this run's own, which only its settings tell.
  Status check_output() const {
    const bool may_be_ours = !options_.force && read_output(options_.method, options_.output).ok();
    if (may_be_ours) return {};
    return llmpatch::check_output(options_.method, options_.output,
                                  options_.force ? Overwrite::kYes : Overwrite::kNo);
  }

  Status open_model() {
    // LibTorch's own default counts physical cores, which a virtual machine may not tell.
    at::set_num_threads(options_.threads > 0 ? options_.threads : usable_cores());
    arithmetic_ = options_.precision.value_or(fastest_arithmetic());
    LLMPATCH_ASSIGN(auto file, GgufFile::open(options_.model));
    file_ = std::make_unique<GgufFile>(std::move(file));
    LLMPATCH_ASSIGN(identity_, compute_identity(*file_));
    LLMPATCH_ASSIGN(model_, Model::load(options_.model));
    LLMPATCH_ASSIGN(engine_, Engine::create(*model_, engine_options(options_)));
    LLMPATCH_ASSIGN(teacher_, open_teacher(options_, *model_, identity_.file));
    LLMPATCH_ASSIGN(options_.reference, reference_of(options_, teacher_));
    return {};
  }

  // What is learned from, and who judges it.
  Status read_data() {
    const JudgeOptions with{options_.data, hooks_.cancel};
    if (!options_.joint.empty()) {
      LLMPATCH_ASSIGN(data_, read_joint_data(options_, identity_));
      LLMPATCH_ASSIGN(judges_, make_judges(data_.runs, with));
      return {};
    }
    LLMPATCH_ASSIGN(data_, read_learn_data(options_, *model_));
    LLMPATCH_ASSIGN(auto made, make_judge(options_.judge, with));
    judges_.push_back(std::move(made));
    return {};
  }

  // Of a joint run the first risk's, which nobody asks.
  const Judge& judge() const { return *judges_.front(); }

  // For joint runs that will take this one up; what a joint run itself has is its runs'.
  Status record() {
    if (!data_.runs.empty()) return {};
    return record_run(*run_, run_record(options_, data_, identity_, judge().identity()));
  }

  // What a joint run's risks are validated with.
  void add_risks() {
    for (std::size_t i = 0; i < data_.runs.size(); ++i) {
      const FinishedRun& run = data_.runs[i];
      material_.validation.risks.push_back({run.validate.prompts, run.validate.formats,
                                            judges_[i].get(), run.validate_tokens,
                                            run.validate_samples, 0});
    }
  }

  // The base model's figures, which the validator ranks by.
  Status set_baseline() {
    LLMPATCH_TRY(measure_baseline(*run_, data_.runs, *validator_));
    LLMPATCH_ASSIGN(report_.risks, read_baseline(*run_, data_.runs));
    for (std::size_t i = 0; i < report_.risks.size(); ++i) {
      material_.validation.risks[i].base = report_.risks[i].base;
    }
    hooks_.tell(baseline_text(report_.risks) + " (validation)");
    return {};
  }

  Result<StageState> load(const fs::path& file) const {
    LLMPATCH_ASSIGN(StageState state, load_state(file));
    if (state.best_step < 0 || state.best.risks.size() == data_.runs.size()) return state;
    return make_error(ErrorKind::kCorrupt, "learn",
                      "checkpoint " + file.string() + ": found a validation of other risks",
                      "remove it to learn this stage again from its beginning");
  }

  void report(const StageState& state) {
    report_.validation = state.best;
    for (std::size_t i = 0; i < report_.risks.size(); ++i) {
      report_.risks[i].found = state.best.risks[i];
    }
    report_.seconds = run_->seconds();
  }

  // Whether the patch at the output is this very release of this run.
  bool written_already() const {
    const auto written = read_output(options_.method, options_.output);
    if (!written.ok()) return false;
    Manifest said = *written;
    said.base = {};
    said.learned = Json::object();
    said.files.clear();
    const Json& learned = written->learned;
    return said == options_.manifest && learned.contains("run") &&
           learned["run"] == run_->key(last_stage_);
  }

  Status fill_hidden() {
    return run_->timed("base states", [&]() -> Status {
      std::vector<Retained>& texts = material_.set.retained;
      for (const auto& [runs, stage] : {std::pair(options_.sft, seeded(options_.sft_stage)),
                                        std::pair(options_.dpo, seeded(options_.dpo_stage))}) {
        if (!runs) continue;
        std::vector<std::size_t> drawn;
        for (const std::size_t i : draws_of_stage(stage, material_.set).retained) {
          if (!texts[i].hidden.defined()) drawn.push_back(i);
        }
        LLMPATCH_TRY(fill_base_hidden(*transformer_, texts, drawn, hooks_.cancel,
                                      hooks_.begin("base", "texts")));
      }
      LLMPATCH_TRY(fill_base_hidden(*transformer_, material_.set.whole, hooks_.cancel, {}));
      return fill_base_hidden(*transformer_, material_.validation.benign_texts, hooks_.cancel, {});
    });
  }

  Status add_companions() {
    std::vector<torch::Tensor> prefixes;
    for (const Companion& companion : options_.companions) {
      const auto width = static_cast<std::size_t>(transformer_->shape().width);
      if (companion.rows.d != width) {
        return make_error(ErrorKind::kMismatch, "learn",
                          "companion " + companion.name + ": found rows of width " +
                              std::to_string(companion.rows.d) + ", expected " +
                              std::to_string(width));
      }
      prefixes.push_back(to_tensor(companion.rows));
    }
    material_.set.companions =
        Companions(std::move(prefixes), options_.random_companions ? options_.length : 0,
                   options_.companion_rate);
    return {};
  }

  StageOptions seeded(StageOptions stage) const {
    stage.seed = options_.seed;
    return stage;
  }

  Result<StageState> train(const std::string& name, const StageOptions& stage,
                           const torch::Tensor& start, const StageState& before) {
    const fs::path file = run_->file(name + ".state");
    StageState state;
    if (fs::exists(file)) {
      LLMPATCH_ASSIGN(state, load(file));
      improved_ = improved_ || state.best_step > 0;
      if (run_->done(name)) return state;
      hooks_.tell(name + ": going on after step " + std::to_string(state.step));
    } else {
      state.rows = start.clone();
      if (before.best_step >= 0) {  // of these very rows
        state.best = before.best;
        state.best_rows = state.rows.clone();
        state.best_step = 0;
      }
    }
    LLMPATCH_TRY(run_->rewind_metrics(name, state.best_step < 0 ? -1 : state.step));
    StageHooks hooks;
    hooks.cancel = hooks_.cancel;
    hooks.adapt = adapting();
    hooks.progress = hooks_.begin(name, "steps");
    hooks.log = [&](const std::string& line) { return run_->log(line); };
    hooks.validate = [&](const torch::Tensor& rows) {
      const auto from = Clock::now();
      auto found = validator_->measure(rows);
      validating_ += std::chrono::duration<double>(Clock::now() - from).count();
      return found;
    };
    validating_ = 0;
    const auto from = Clock::now();
    const Status trained =
        train_stage(*transformer_, material_.set, seeded(stage), state, file, hooks);
    const double spent = std::chrono::duration<double>(Clock::now() - from).count();
    LLMPATCH_TRY(run_->add_seconds(name + " steps", spent - validating_));
    LLMPATCH_TRY(run_->add_seconds("validation", validating_));
    LLMPATCH_TRY(trained);
    LLMPATCH_TRY(run_->set_done(name));
    hooks_.tell(name + ": best after step " + std::to_string(state.best_step) + ": " +
                validation_text(state.best, report_.risks) + " (validation)");
    improved_ = improved_ || state.best_step > 0;
    return state;
  }

  // Moves the best rows to where they refuse as many benign prompts as was asked for.
  Status set_threshold(StageState& state) {
    const fs::path file = run_->file("threshold.state");
    if (run_->done("threshold")) {
      LLMPATCH_ASSIGN(state, load(file));
      return {};
    }
    LLMPATCH_TRY(run_->rewind_metrics("threshold", -1));
    return run_->timed("threshold", [&]() -> Status {
      const auto [prompts, formats] = some_benign();
      const torch::Tensor rows = state.best_rows;
      LLMPATCH_ASSIGN(const auto refused, refused_pairs());
      const torch::Tensor direction =
          refusal_direction(*transformer_, adapting(), rows, refused, material_.set.retained,
                            kDirectionPrompts, options_.sft_stage.greedy);
      const ProgressFn progress = hooks_.begin("threshold", "measurements");
      std::uint64_t measured = 0;
      const auto measure = [&](double by) -> Result<double> {
        LLMPATCH_TRY(check_cancelled(hooks_.cancel, "learn"));
        LLMPATCH_ASSIGN(const double share,
                        validator_->refused_share(rows + by * direction, prompts, formats));
        LLMPATCH_TRY(run_->log(json_line(
            OrderedJson{{"stage", "threshold"}, {"moved", by}, {"over_refused", share}})));
        if (progress) progress(++measured, kMeasurements, "");
        return share;
      };
      const double tolerance = 1.0 / static_cast<double>(prompts.size());
      LLMPATCH_ASSIGN(const Moved moved, find_threshold(measure, options_.over_refusal, tolerance,
                                                        static_cast<int>(kMeasurements)));
      state.best_rows = rows + moved.by * direction;
      LLMPATCH_ASSIGN(state.best, validator_->measure(state.best_rows));
      std::ostringstream line;
      line.precision(3);
      line << "threshold: moved by " << moved.by << " (log-odds of refusing): refuses "
           << 100 * moved.over_refused << " % of " << prompts.size()
           << " benign learning prompts; on validation "
           << validation_text(state.best, report_.risks);
      hooks_.tell(line.str());
      LLMPATCH_TRY(save_state(state, file));
      return run_->set_done("threshold");
    });
  }

  // The pairs whose chosen answer is a refusal; of a single run all.
  Result<std::vector<Pair>> refused_pairs() const {
    std::vector<Pair> pairs;
    std::copy_if(material_.set.pairs.begin(), material_.set.pairs.end(), std::back_inserter(pairs),
                 [](const Pair& pair) { return pair.refuses; });
    if (!pairs.empty() && !material_.set.retained.empty()) return pairs;
    return make_error(ErrorKind::kUnmet, "learn",
                      "over-refusal: found no pairs whose chosen answer is a refusal, or no benign "
                      "texts, expected both",
                      "leave it out");
  }

  // Benign learning prompts spread evenly over the files, at most as many as tell a share to about
  // one point in a hundred.
  std::pair<std::vector<Prompt>, std::vector<PromptFormat>> some_benign() const {
    std::pair<std::vector<Prompt>, std::vector<PromptFormat>> some;
    for (const std::size_t i : spread_places(data_.retain.size(), kThresholdPrompts)) {
      some.first.push_back(data_.retain[i]);
      some.second.push_back(data_.retain_formats[i]);
    }
    return some;
  }

  // Reference log-probabilities of the pairs that DPO draws, its constants (paper Eq. 3).
  Status make_reference(const torch::Tensor& sft_rows) {
    for (Pair* pair : dpo_pairs()) {
      cut_answer(pair->chosen, options_.dpo_tokens);
      cut_answer(pair->rejected, options_.dpo_tokens);
    }
    const fs::path file = run_->file("reference.jsonl");
    if (!run_->done("reference")) {
      LLMPATCH_TRY(run_->timed("reference", [&]() -> Status {
        LLMPATCH_ASSIGN(const auto sums, reference_logprobs(sft_rows));
        std::string text;
        for (std::size_t i = 0; i + 1 < sums.size(); i += 2) {
          text += json_line(OrderedJson{{"chosen", sums[i]}, {"rejected", sums[i + 1]}}) + "\n";
        }
        LLMPATCH_TRY(write_file_atomic(file, text));
        return run_->set_done("reference");
      }));
    }
    LLMPATCH_ASSIGN(const auto lines, read_json_lines(file, "reference log-probabilities"));
    std::vector<Pair*> pairs = dpo_pairs();
    if (lines.size() != pairs.size()) {
      return make_error(ErrorKind::kCorrupt, "learn",
                        file.string() + ": found " + std::to_string(lines.size()) +
                            " lines, expected " + std::to_string(pairs.size()),
                        "remove the run directory to start again");
    }
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      const std::string where = file.string() + " line " + std::to_string(lines[i].number);
      LLMPATCH_ASSIGN(pairs[i]->reference_chosen, json_number(lines[i].value, "chosen", where));
      LLMPATCH_ASSIGN(pairs[i]->reference_rejected, json_number(lines[i].value, "rejected", where));
    }
    return {};
  }

  StageDraws dpo_draws() const { return draws_of_stage(seeded(options_.dpo_stage), material_.set); }

  // The pairs a reference is needed for, in the order of reference.jsonl.
  std::vector<Pair*> dpo_pairs() {
    const StageDraws draws = dpo_draws();
    std::vector<Pair*> pairs;
    for (const std::size_t i : draws.pairs) pairs.push_back(&material_.set.pairs[i]);
    for (const std::size_t i : draws.corrections) pairs.push_back(&material_.set.corrections[i]);
    return pairs;
  }
  // The same pairs as text, in the same order.
  std::vector<Preference> dpo_preferences() const {
    const StageDraws draws = dpo_draws();
    std::vector<Preference> preferences;
    for (const std::size_t i : draws.pairs) preferences.push_back(material_.pairs[i]);
    for (const std::size_t i : draws.corrections) preferences.push_back(material_.corrections[i]);
    return preferences;
  }

  Result<std::vector<double>> reference_logprobs(const torch::Tensor& sft_rows) {
    std::vector<Sequence> sequences;
    if (options_.reference != Reference::kTeacher) {
      for (const Pair* pair : dpo_pairs()) {
        sequences.push_back({pair->prompt, {pair->chosen, pair->rejected}});
      }
      const bool sft = options_.reference == Reference::kSft;
      return answer_logprobs(*transformer_, sft ? method_->adapt(sft_rows) : Adaptation(),
                             sequences, hooks_.cancel, hooks_.begin("reference", "pairs"));
    }
    const std::vector<Preference> preferences = dpo_preferences();
    bool used_engine = false;
    const Model& teacher = teacher_.model ? *teacher_.model : *model_;
    auto sums = teacher_logprobs({teacher, *transformer_, options_.teacher_model,
                                  options_.teacher_system, arithmetic_, engine_options(options_)},
                                 preferences, options_.dpo_tokens, used_engine, hooks_.cancel,
                                 hooks_.begin("reference", "pairs"));
    if (used_engine) {
      hooks_.tell(
          "reference: the teacher's architecture cannot be learned on; its log-probabilities come "
          "from the engine's quantised arithmetic");
    }
    return sums;
  }

  // Refusing everything is the cheapest way to look safe; such rows are not written unless told so.
  Status catch_bad(const StageState& state) const {
    if (options_.method == Method::kLora && !improved_) {
      // Low-rank updates begin as none: this would be the base model under another name.
      const std::string message =
          "the best checkpoint is the beginning: found no step that validates better than the base "
          "model";
      LLMPATCH_TRY(caught(message, "more or other --retain prompts, or a smaller learning rate"));
    }
    for (const std::string& line : worse_risks(state.best, report_.risks)) {
      hooks_.tell("warning: " + line);
    }
    const double own = material_.validation.base_share();
    if (state.best.over_refused - own <= options_.max_over_refusal) return {};
    std::ostringstream message;
    message.precision(3);
    message << "the learned patch refuses benign prompts: found " << 100 * state.best.over_refused
            << " % on validation, expected at most " << 100 * (own + options_.max_over_refusal)
            << " % (the base model: " << 100 * own << " %)";
    return caught(message.str(), "more and more varied --retain prompts usually help");
  }

  // What is not written unless told so.
  Status caught(const std::string& message, const std::string& hint) const {
    if (!options_.force) {
      return make_error(ErrorKind::kUnmet, "learn", message, hint + "; --force writes it anyway");
    }
    hooks_.tell("warning: " + message + "; written all the same (--force)");
    return {};
  }

  Status write(const torch::Tensor& rows) {
    Manifest manifest = options_.manifest;
    manifest.base = identity_;
    manifest.learned =
        learned_record(options_, data_, teacher_.digest, name_of(arithmetic_), judge().identity());
    manifest.learned["pairs"] = material_.set.pairs.size();
    manifest.learned["run"] = run_->key(last_stage_);
    const bool replace = options_.force || written_already();
    return method_->write(rows, manifest, *transformer_, options_.output,
                          replace ? Overwrite::kYes : Overwrite::kNo);
  }

  AdaptFn adapting() const {
    return [this](const torch::Tensor& rows) { return method_->adapt(rows); };
  }

  LearnOptions options_;  // with the reference settled
  const LearnHooks& hooks_;
  Arithmetic arithmetic_ = Arithmetic::kF32;
  std::unique_ptr<GgufFile> file_;
  BaseIdentity identity_;
  std::string last_stage_;
  std::unique_ptr<Model> model_;
  TeacherModel teacher_;
  std::unique_ptr<Engine> engine_;
  std::vector<std::unique_ptr<Judge>> judges_;  // one, or of a joint run one a risk
  std::unique_ptr<Transformer> transformer_;
  std::unique_ptr<RunDirectory> run_;
  std::unique_ptr<LearnMethod> method_;
  LearnData data_;
  Material material_;
  std::unique_ptr<Validator> validator_;
  double validating_ = 0;
  bool improved_ = false;  // whether some stage's best checkpoint is not its beginning
  LearnReport report_;
};

}  // namespace

Result<LearnReport> learn_patch(const LearnOptions& options, const LearnHooks& hooks) {
  try {
    if (options.method == Method::kSteering) {
      LLMPATCH_TRY(check_learn_options(options));
      return learn_steering(options, hooks);
    }
    return Learner(options, hooks).run();
  } catch (const std::bad_alloc&) {
    return make_error(ErrorKind::kLimit, "learn", "memory: found too little",
                      "fewer pairs a step or another --precision need less");
  } catch (const std::exception& error) {
    return make_error(ErrorKind::kInternal, "learn", std::string("LibTorch: ") + error.what());
  }
}

}  // namespace llmpatch
