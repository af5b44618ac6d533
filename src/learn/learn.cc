#include "learn/learn.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <random>
#include <sstream>
#include <thread>

#include "base/file.h"
#include "base/sha256.h"
#include "gguf/identity.h"
#include "judge/refusal.h"
#include "learn/examples.h"
#include "learn/generation.h"
#include "learn/preferences.h"
#include "learn/processor.h"
#include "learn/reference.h"
#include "learn/run_directory.h"
#include "learn/settings.h"
#include "learn/transformer.h"
#include "learn/validator.h"
#include "patch/patch.h"
#include "runtime/engine.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int kInsteadSamples = 4;

// One run of `learn`: the models, the data and the stages, in the order they are done.
class Learner {
 public:
  Learner(const LearnOptions& options, const LearnHooks& hooks)
      : options_(options), hooks_(hooks) {}

  Result<LearnReport> run() {
    LLMPATCH_TRY(check_learn_options(options_));
    LLMPATCH_TRY(check_output());
    LLMPATCH_TRY(open_model());
    LLMPATCH_ASSIGN(data_, read_learn_data(options_, *model_));
    LLMPATCH_ASSIGN(auto directory, RunDirectory::open(options_.run));
    run_ = std::make_unique<RunDirectory>(std::move(directory));
    const auto stages = plan_stages(options_, data_, identity_.file, teacher_digest_, dtype_name());
    LLMPATCH_ASSIGN(const auto changes, run_->adopt(stages));
    for (const auto& change : changes) say("changed setting " + change);
    last_stage_ = stages.back().name;
    if (run_->done(last_stage_) && written_already()) {
      report_.already_done = true;
      LLMPATCH_ASSIGN(const StageState state, load_state(run_->file(last_stage_ + ".state")));
      report_.validation = state.best;
      report_.seconds = run_->seconds();
      return report_;
    }
    if (!options_.force && !written_already()) {
      LLMPATCH_TRY(check_patch_output(options_.output, Overwrite::kNo));
    }
    say_plan();
    LLMPATCH_TRY(make_pairs());
    LLMPATCH_TRY(make_retained());
    LLMPATCH_ASSIGN(transformer_, load_transformer(*file_, dtype_));
    LLMPATCH_TRY(fill_hidden());
    validator_ = std::make_unique<Validator>(
        *engine_, *transformer_, *judge_, validation_set_,
        ValidatorOptions{options_.validate_tokens, options_.divergence_limit}, hooks_.cancel);
    LLMPATCH_ASSIGN(torch::Tensor rows, initial_rows());
    StageState state;
    if (options_.sft) {
      LLMPATCH_ASSIGN(state, train("sft", options_.sft_stage, rows, {}));
      rows = state.best_rows;
    }
    if (options_.dpo) {
      LLMPATCH_TRY(make_reference(rows));
      LLMPATCH_ASSIGN(state, train("dpo", options_.dpo_stage, rows, state));
    }
    report_.validation = state.best;
    LLMPATCH_TRY(catch_bad(state));
    LLMPATCH_TRY(write(state.best_rows));
    report_.seconds = run_->seconds();
    report_.generated_tokens = engine_->stats().generated_tokens;
    return report_;
  }

 private:
  void say(const std::string& line) const {
    if (hooks_.say) hooks_.say(line);
  }
  ProgressFn begin(const std::string& stage, const std::string& unit) const {
    return hooks_.begin_stage ? hooks_.begin_stage(stage, unit) : ProgressFn();
  }
  std::string dtype_name() const { return dtype_ == torch::kBFloat16 ? "bf16" : "f32"; }

  // Runs `work`, adding its wall-clock time to `stage` even when it fails.
  template <class Work>
  Status timed(const std::string& stage, Work work) {
    const auto start = Clock::now();
    Status status = work();
    const Status saved =
        run_->add_seconds(stage, std::chrono::duration<double>(Clock::now() - start).count());
    return status.ok() ? saved : status;
  }

  // Whether the patch may be written at all, before anything else is done. A patch that is there
  // may be this run's own, which only its settings tell.
  Status check_output() const {
    const bool may_be_ours = !options_.force && load_patch(options_.output).ok();
    return may_be_ours ? Status()
                       : check_patch_output(options_.output,
                                            options_.force ? Overwrite::kYes : Overwrite::kNo);
  }

  Status open_model() {
    // LibTorch's own default counts physical cores, which a virtual machine may not tell.
    const auto cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
    at::set_num_threads(options_.threads > 0 ? options_.threads : cores);
    dtype_ = options_.precision == Precision::kF32                          ? torch::kFloat32
             : options_.precision == Precision::kBf16 || computes_in_bf16() ? torch::kBFloat16
                                                                            : torch::kFloat32;
    LLMPATCH_ASSIGN(auto file, GgufFile::open(options_.model));
    file_ = std::make_unique<GgufFile>(std::move(file));
    LLMPATCH_ASSIGN(identity_, compute_identity(*file_));
    LLMPATCH_ASSIGN(model_, Model::load(options_.model));
    LLMPATCH_ASSIGN(engine_, Engine::create(*model_, engine_options()));
    LLMPATCH_ASSIGN(judge_, make_judge(options_.judge));
    teacher_digest_ = identity_.file;
    if (!options_.teacher_model.empty()) {
      LLMPATCH_ASSIGN(auto teacher, GgufFile::open(options_.teacher_model, "teacher model"));
      teacher_digest_ = sha256_hex(teacher.bytes());
      LLMPATCH_ASSIGN(teacher_model_, Model::load(options_.teacher_model));
    }
    return {};
  }

  EngineOptions engine_options() const {
    EngineOptions engine;
    engine.threads = options_.threads;
    return engine;
  }

  const Model& teacher() const { return teacher_model_ ? *teacher_model_ : *model_; }

  bool written_already() const {
    const auto patch = load_patch(options_.output);
    return patch.ok() && patch->manifest.learned.contains("run") &&
           patch->manifest.learned["run"] == run_->key(last_stage_);
  }

  void say_plan() const {
    const std::size_t samples =
        options_.pairs.empty() ? data_.prompts.size() * static_cast<std::size_t>(options_.samples)
                               : 0;
    std::size_t tokens = samples * static_cast<std::size_t>(options_.rejected_tokens) +
                         (data_.retain.size() + data_.validate_retain.size()) *
                             static_cast<std::size_t>(options_.retain_tokens);
    if (options_.pairs.empty() && options_.chosen_text.empty()) {
      tokens += samples * static_cast<std::size_t>(options_.chosen_tokens);
    }
    const auto validations = [](const StageOptions& stage) {
      return static_cast<std::size_t>(stage.schedule.total / stage.evaluate_every + 1);
    };
    const std::size_t checks = (options_.sft ? validations(options_.sft_stage) : 0) +
                               (options_.dpo ? validations(options_.dpo_stage) : 0);
    tokens += checks * (data_.validate.size() + data_.validate_retain.size()) *
              static_cast<std::size_t>(options_.validate_tokens);
    std::ostringstream line;
    line << "plan: " << data_.prompts.size() << (options_.pairs.empty() ? " prompts, " : " pairs, ")
         << data_.retain.size() << " benign prompts to retain, "
         << data_.validate.size() + data_.validate_retain.size() << " to validate on; at most "
         << tokens << " tokens to generate; "
         << (options_.sft ? options_.sft_stage.schedule.total : 0) << " SFT and "
         << (options_.dpo ? options_.dpo_stage.schedule.total : 0) << " DPO steps in "
         << dtype_name() << " on " << at::get_num_threads() << " threads";
    say(line.str());
  }

  Status make_pairs() {
    const fs::path file = run_->file("pairs.jsonl");
    const PromptFormat fallback = options_.format.value_or(default_prompt_format(*model_));
    if (!run_->done("pairs")) {
      std::vector<Preference> made;
      if (!options_.pairs.empty()) {
        for (std::size_t i = 0; i < data_.prompts.size(); ++i) {
          LLMPATCH_ASSIGN(auto pair, ready_preference(data_.prompts[i], data_.prompt_formats[i],
                                                      options_.pairs.front().string()));
          made.push_back(std::move(pair));
        }
      } else {
        std::vector<Answers> rejected, chosen;
        LLMPATCH_TRY(timed("samples", [&]() -> Status {
          AnswerSettings settings;
          settings.samples = options_.samples;
          settings.max_tokens = options_.rejected_tokens;
          settings.sampling = nucleus();
          const auto progress = begin("samples", "prompts");
          LLMPATCH_ASSIGN(rejected,
                          generate_answers(*engine_, data_.prompts, data_.prompt_formats, settings,
                                           run_->file("samples.jsonl"), hooks_.cancel, progress));
          return run_->set_done("samples");
        }));
        if (options_.chosen_text.empty()) LLMPATCH_TRY(ask_teacher(chosen));
        LLMPATCH_ASSIGN(made, judge_preferences(data_.prompts, data_.prompt_formats, rejected,
                                                chosen, options_.chosen_text, *judge_,
                                                {options_.margin, options_.max_chosen_score}));
      }
      LLMPATCH_TRY(write_file_atomic(file, preferences_to_lines(made)));
      LLMPATCH_TRY(run_->set_done("pairs"));
    }
    // Read back even when just made, so that a resumed run starts from the same text.
    LLMPATCH_ASSIGN(preferences_, read_preferences(file, fallback));
    if (preferences_.empty()) {
      return make_error(ErrorKind::kUnmet, "learn",
                        "pairs: found none that pass the filter, expected at least one",
                        "look at " + run_->file("samples.jsonl").string() +
                            "; --margin and --max-chosen-score set the filter");
    }
    for (const Preference& preference : preferences_) {
      LLMPATCH_ASSIGN(Pair pair, encode_pair(preference));
      set_.pairs.push_back(std::move(pair));
    }
    say("pairs: " + std::to_string(set_.pairs.size()) + " from " +
        std::to_string(data_.prompts.size()) + (options_.pairs.empty() ? " prompts" : " lines"));
    return {};
  }

  // How several answers to one prompt are drawn.
  Sampling nucleus() const { return {.temperature = 1, .top_p = 0.9F, .seed = options_.seed}; }

  Status ask_teacher(std::vector<Answers>& answers) {
    return timed("teacher", [&]() -> Status {
      std::unique_ptr<Engine> own;
      if (teacher_model_) {
        LLMPATCH_ASSIGN(own, Engine::create(*teacher_model_, engine_options()));
      }
      AnswerSettings settings;
      settings.samples = options_.samples;
      settings.max_tokens = options_.chosen_tokens;
      settings.system = options_.teacher_system;
      // One answer is the teacher's greedy one; several are sampled, and the judge picks.
      if (options_.samples > 1) {
        settings.sampling = nucleus();
      }
      LLMPATCH_ASSIGN(answers,
                      generate_answers(own ? *own : *engine_, data_.prompts, data_.prompt_formats,
                                       settings, run_->file("teacher.jsonl"), hooks_.cancel,
                                       begin("teacher", "prompts")));
      return run_->set_done("teacher");
    });
  }

  Status make_retained() {
    LLMPATCH_TRY(timed("retain", [&]() -> Status {
      LLMPATCH_ASSIGN(const auto own, own_answers(data_.retain, data_.retain_formats,
                                                  "retain.jsonl", set_.retained));
      if (options_.dpo && options_.dpo_stage.contrasts_per_step > 0) {
        LLMPATCH_TRY(replace_refusals(own));
        LLMPATCH_TRY(make_contrasts(own));
      }
      LLMPATCH_ASSIGN(const auto validation,
                      own_answers(data_.validate_retain, data_.validate_retain_formats,
                                  "retain-validation.jsonl", validation_set_.benign_texts));
      for (const Answers& answers : validation) {
        validation_set_.base_refuses.push_back(is_refusal(answers.texts[0]));
      }
      return {};
    }));
    validation_set_.harmful = data_.validate;
    validation_set_.harmful_formats = data_.validate_formats;
    validation_set_.benign = data_.validate_retain;
    validation_set_.benign_formats = data_.validate_retain_formats;
    return run_->set_done("retain");
  }

  // The base model's greedy answers to `prompts`, kept in the file `name`; those that are neither
  // empty nor a refusal are added to `texts`: nobody wants to retain a refusal of a benign prompt.
  Result<std::vector<Answers>> own_answers(const std::vector<Prompt>& prompts,
                                           const std::vector<PromptFormat>& formats,
                                           const char* name, std::vector<Retained>& texts) {
    AnswerSettings settings;
    settings.max_tokens = options_.retain_tokens;
    LLMPATCH_ASSIGN(auto answers,
                    generate_answers(*engine_, prompts, formats, settings, run_->file(name),
                                     hooks_.cancel, begin("retain", "prompts")));
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      Retained text;
      LLMPATCH_ASSIGN(text.prompt, encode_prompt(*model_, prompts[i], formats[i]));
      LLMPATCH_ASSIGN(text.answer,
                      encode_answer(*model_, answers[i].texts[0], answers[i].complete[0]));
      if (!text.answer.empty() && !is_refusal(answers[i].texts[0]))
        texts.push_back(std::move(text));
    }
    return answers;
  }

  // Where the base model itself refuses a benign prompt there is nothing to retain: of a few
  // sampled answers the first that is no refusal is chosen, the refusal rejected.
  Status replace_refusals(const std::vector<Answers>& own) {
    std::vector<Prompt> prompts;
    std::vector<PromptFormat> formats;
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < own.size(); ++i) {
      if (!is_refusal(own[i].texts[0])) continue;
      prompts.push_back(data_.retain[i]);
      formats.push_back(data_.retain_formats[i]);
      places.push_back(i);
    }
    AnswerSettings settings;
    settings.samples = kInsteadSamples;
    settings.max_tokens = options_.retain_tokens;
    settings.sampling = nucleus();
    LLMPATCH_ASSIGN(
        const auto sampled,
        generate_answers(*engine_, prompts, formats, settings, run_->file("retain-instead.jsonl"),
                         hooks_.cancel, begin("retain", "prompts")));
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      for (std::size_t k = 0; k < sampled[i].texts.size(); ++k) {
        if (sampled[i].texts[k].empty() || is_refusal(sampled[i].texts[k])) continue;
        Preference instead;
        instead.prompt = prompts[i];
        instead.format = formats[i];
        instead.chosen = sampled[i].texts[k];
        instead.chosen_complete = sampled[i].complete[k];
        instead.rejected = own[places[i]].texts[0];
        instead.rejected_complete = own[places[i]].complete[0];
        LLMPATCH_ASSIGN(Pair pair, encode_pair(instead));
        set_.contrasts.push_back(std::move(pair));
        contrasts_.push_back(std::move(instead));
        break;
      }
    }
    return {};
  }

  // On a benign prompt the base model's own answer is chosen and a refusal rejected: the chosen
  // answer of a pair, each in its turn.
  Status make_contrasts(const std::vector<Answers>& own) {
    for (std::size_t i = 0; i < own.size(); ++i) {
      if (is_refusal(own[i].texts[0])) continue;  // replace_refusals has a pair for it
      const Preference& refusal = preferences_[contrasts_.size() % preferences_.size()];
      Preference contrast;
      contrast.prompt = data_.retain[i];
      contrast.format = data_.retain_formats[i];
      contrast.chosen = own[i].texts[0];
      contrast.chosen_complete = own[i].complete[0];
      contrast.rejected = refusal.chosen;
      contrast.rejected_complete = refusal.chosen_complete;
      LLMPATCH_ASSIGN(Pair pair, encode_pair(contrast));
      if (pair.chosen.empty()) continue;
      set_.contrasts.push_back(std::move(pair));
      contrasts_.push_back(std::move(contrast));
    }
    return {};
  }

  Result<Pair> encode_pair(const Preference& preference) const {
    Pair pair;
    LLMPATCH_ASSIGN(pair.prompt, encode_prompt(*model_, preference.prompt, preference.format));
    LLMPATCH_ASSIGN(pair.chosen,
                    encode_answer(*model_, preference.chosen, preference.chosen_complete));
    LLMPATCH_ASSIGN(pair.rejected,
                    encode_answer(*model_, preference.rejected, preference.rejected_complete));
    return pair;
  }

  Status fill_hidden() {
    return timed("base states", [&]() -> Status {
      LLMPATCH_TRY(
          fill_base_hidden(*transformer_, set_.retained, hooks_.cancel, begin("base", "texts")));
      return fill_base_hidden(*transformer_, validation_set_.benign_texts, hooks_.cancel, {});
    });
  }

  // The tokens of --init-text repeated to the length, or random rows with the table's spread.
  Result<torch::Tensor> initial_rows() {
    if (!options_.init_text.empty()) {
      LLMPATCH_ASSIGN(Tokens tokens, model_->tokenize(options_.init_text, /*parse_special=*/true));
      if (tokens.empty()) {
        return make_error(ErrorKind::kInvalidArgument, "learn", "init text: found no tokens in it");
      }
      Tokens repeated;
      for (std::int64_t i = 0; i < options_.length; ++i) {
        repeated.push_back(tokens[static_cast<std::size_t>(i) % tokens.size()]);
      }
      LLMPATCH_ASSIGN(const Rows rows, model_->embed(repeated));
      return to_tensor(rows);
    }
    const torch::Tensor ids = torch::arange(transformer_->shape().vocabulary, torch::kLong);
    const double spread = transformer_->embed(ids).to(torch::kFloat32).std().item<double>();
    torch::Tensor rows = torch::empty({options_.length, transformer_->shape().width});
    std::mt19937_64 random(options_.seed ^ 0x9e3779b97f4a7c15U);
    const auto uniform = [&] { return (static_cast<double>(random() >> 11) + 0.5) * 0x1.0p-53; };
    for (std::int64_t i = 0; i < rows.numel(); ++i) {
      // Box-Muller by hand: std::normal_distribution may differ between standard libraries.
      const double radius = std::sqrt(-2 * std::log(uniform()));
      rows.data_ptr<float>()[i] =
          static_cast<float>(spread * radius * std::cos(2 * M_PI * uniform()));
    }
    return rows;
  }

  Result<StageState> train(const std::string& name, const StageOptions& stage,
                           const torch::Tensor& start, const StageState& before) {
    const fs::path file = run_->file(name + ".state");
    StageState state;
    if (fs::exists(file)) {
      LLMPATCH_ASSIGN(state, load_state(file));
      if (run_->done(name)) return state;
      say(name + ": going on after step " + std::to_string(state.step));
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
    hooks.progress = begin(name, "steps");
    hooks.log = [&](const std::string& line) { return run_->log(line); };
    hooks.validate = [&](const torch::Tensor& rows) {
      const auto from = Clock::now();
      auto found = validator_->measure(rows);
      validating_ += std::chrono::duration<double>(Clock::now() - from).count();
      return found;
    };
    StageOptions seeded = stage;
    seeded.seed = options_.seed;
    validating_ = 0;
    const auto from = Clock::now();
    const Status trained = train_stage(*transformer_, set_, seeded, state, file, hooks);
    const double spent = std::chrono::duration<double>(Clock::now() - from).count();
    LLMPATCH_TRY(run_->add_seconds(name + " steps", spent - validating_));
    LLMPATCH_TRY(run_->add_seconds("validation", validating_));
    LLMPATCH_TRY(trained);
    LLMPATCH_TRY(run_->set_done(name));
    std::ostringstream line;
    line.precision(3);
    line << name << ": best after step " << state.best_step << ": refused "
         << 100 * state.best.refused << " %, over-refused " << 100 * state.best.over_refused
         << " %, KL " << state.best.divergence << " (validation)";
    say(line.str());
    return state;
  }

  // Reference log-probabilities of every pair, constants of DPO (paper Eq. 3).
  Status make_reference(const torch::Tensor& sft_rows) {
    for (Pair* pair : all_pairs()) {
      cut_answer(pair->chosen, options_.dpo_tokens);
      cut_answer(pair->rejected, options_.dpo_tokens);
    }
    const fs::path file = run_->file("reference.jsonl");
    if (!run_->done("reference")) {
      LLMPATCH_TRY(timed("reference", [&]() -> Status {
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
    std::vector<Pair*> pairs = all_pairs();
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

  // The pairs a reference is needed for, in the order of reference.jsonl.
  std::vector<Pair*> all_pairs() {
    std::vector<Pair*> pairs;
    for (Pair& pair : set_.pairs) pairs.push_back(&pair);
    for (Pair& pair : set_.contrasts) pairs.push_back(&pair);
    return pairs;
  }

  Result<std::vector<double>> reference_logprobs(const torch::Tensor& sft_rows) {
    std::vector<Sequence> sequences;
    if (options_.reference != Reference::kTeacher) {
      for (const Pair* pair : all_pairs()) {
        sequences.push_back({pair->prompt, {pair->chosen, pair->rejected}});
      }
      const bool sft = options_.reference == Reference::kSft;
      return answer_logprobs(*transformer_, sft ? sft_rows : torch::Tensor(), sequences,
                             hooks_.cancel, begin("reference", "pairs"));
    }
    std::vector<Preference> preferences = preferences_;
    preferences.insert(preferences.end(), contrasts_.begin(), contrasts_.end());
    bool used_engine = false;
    auto sums = teacher_logprobs({teacher(), *transformer_, options_.teacher_model,
                                  options_.teacher_system, dtype_, engine_options()},
                                 preferences, options_.dpo_tokens, used_engine, hooks_.cancel,
                                 begin("reference", "pairs"));
    if (used_engine) {
      say("reference: the teacher's architecture cannot be learned on; its log-probabilities come "
          "from the engine's quantised arithmetic");
    }
    return sums;
  }

  // Refusing everything is the cheapest way to look safe; such rows are not written unless told so.
  Status catch_bad(const StageState& state) const {
    if (state.best.over_refused <= options_.max_over_refusal) return {};
    std::ostringstream message;
    message.precision(3);
    message << "the learned patch refuses benign prompts: found " << 100 * state.best.over_refused
            << " % on validation, expected at most " << 100 * options_.max_over_refusal << " %";
    if (options_.force) {
      say("warning: " + message.str() + "; written all the same (--force)");
      return {};
    }
    return make_error(
        ErrorKind::kUnmet, "learn", message.str(),
        "more and more varied --retain prompts usually help; --force writes it anyway");
  }

  Status write(const torch::Tensor& rows) {
    Patch patch;
    patch.rows = to_rows(rows);
    patch.manifest.name = options_.name;
    patch.manifest.version = options_.version;
    patch.manifest.risk = options_.risk;
    patch.manifest.summary = options_.summary;
    patch.manifest.license = options_.license;
    patch.manifest.base = identity_;
    patch.manifest.learned = learned_record(options_, data_, teacher_digest_, dtype_name());
    patch.manifest.learned["pairs"] = set_.pairs.size();
    patch.manifest.learned["run"] = run_->key(last_stage_);
    patch.adapter.base_model = identity_.name;
    patch.adapter.attention_heads = transformer_->shape().heads;
    patch.adapter.layers = transformer_->shape().layers;
    patch.adapter.init_text = options_.init_text;
    const bool replace = options_.force || written_already();
    return write_patch(patch, options_.output, replace ? Overwrite::kYes : Overwrite::kNo);
  }

  const LearnOptions& options_;
  const LearnHooks& hooks_;
  torch::Dtype dtype_ = torch::kFloat32;
  std::unique_ptr<GgufFile> file_;
  BaseIdentity identity_;
  std::string teacher_digest_, last_stage_;
  std::unique_ptr<Model> model_, teacher_model_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Judge> judge_;
  std::unique_ptr<Transformer> transformer_;
  std::unique_ptr<RunDirectory> run_;
  LearnData data_;
  std::vector<Preference> preferences_;
  std::vector<Preference> contrasts_;
  TrainingSet set_;
  ValidationSet validation_set_;
  std::unique_ptr<Validator> validator_;
  double validating_ = 0;
  LearnReport report_;
};

}  // namespace

Result<LearnReport> learn_patch(const LearnOptions& options, const LearnHooks& hooks) {
  try {
    return Learner(options, hooks).run();
  } catch (const std::bad_alloc&) {
    return make_error(ErrorKind::kLimit, "learn", "memory: found too little",
                      "fewer pairs a step or another --precision need less");
  } catch (const std::exception& error) {
    return make_error(ErrorKind::kInternal, "learn", std::string("LibTorch: ") + error.what());
  }
}

}  // namespace llmpatch
