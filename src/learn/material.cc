#include "learn/material.h"

#include <algorithm>
#include <iterator>
#include <memory>

#include "base/file.h"
#include "judge/gender_lean.h"
#include "judge/refusal.h"
#include "learn/generation.h"
#include "learn/joint.h"
#include "learn/reference.h"
#include "learn/teacher_endpoint.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

// Answers to learn from: at temperature 1 a small model often begins one with nonsense.
constexpr int kCorrectionSamples = 8;
constexpr float kCorrectionTemperature = 0.6F;

// A teacher counts `--chosen-tokens` in tokens of its own, or not at all. More of the base model's
// than so many times that are not learned.
constexpr std::int64_t kTokensPerTeachers = 4;

// Of a single run, or of one of a joint run.
class MaterialMaker {
 public:
  // `taken`: the run of a joint run that the options' pairs and the data are of, or null.
  explicit MaterialMaker(const MaterialSources& sources, const FinishedRun* taken = nullptr)
      : taken_(taken),
        options_(sources.options),
        hooks_(sources.hooks),
        data_(sources.data),
        engine_(sources.engine),
        other_model_(sources.other_model),
        judge_(sources.judge),
        run_(sources.run) {}

  Material take() { return std::move(material_); }

  // Leaves the stages "samples" and "teacher" done, if there are any, but not "pairs".
  Status make_pairs() {
    const fs::path file = own_file("pairs.jsonl");
    const PromptFormat fallback = options_.format.value_or(default_prompt_format(engine_.model()));
    if (!run_.done("pairs")) {
      std::vector<Preference> made;
      if (!options_.pairs.empty()) {
        for (std::size_t i = 0; i < data_.prompts.size(); ++i) {
          LLMPATCH_ASSIGN(auto pair, ready_preference(data_.prompts[i], data_.prompt_formats[i],
                                                      options_.pairs.front().string()));
          made.push_back(std::move(pair));
        }
      } else {
        std::vector<Answers> rejected, chosen;
        LLMPATCH_TRY(run_.timed("samples", [&]() -> Status {
          AnswerSettings settings;
          settings.samples = samples_of(options_);
          settings.max_tokens = options_.rejected_tokens;
          settings.sampling = nucleus_sampling(options_);
          const auto progress = hooks_.begin("samples", "prompts");
          LLMPATCH_ASSIGN(rejected,
                          generate_answers(engine_, data_.prompts, data_.prompt_formats, settings,
                                           run_.file("samples.jsonl"), hooks_.cancel, progress));
          if (judge_.uses_gld()) {
            LLMPATCH_ASSIGN(gld_.rejected, gld_of(engine_, ""));
          }
          return run_.set_done("samples");
        }));
        if (asks_teacher(options_)) LLMPATCH_TRY(ask_teacher(chosen));
        const PreferenceFilter filter{options_.margin, options_.max_chosen_score};
        if (options_.best_of > 1) {
          LLMPATCH_ASSIGN(made, best_and_worst(data_.prompts, data_.prompt_formats, rejected,
                                               chosen, judge_, filter, gld_));
        } else {
          LLMPATCH_ASSIGN(made,
                          judge_preferences(data_.prompts, data_.prompt_formats, rejected, chosen,
                                            options_.chosen_text, judge_, filter, gld_));
        }
      }
      LLMPATCH_TRY(write_file_atomic(file, preferences_to_lines(made)));
    }
    // Read back even when just made, so that a resumed run starts from the same text.
    LLMPATCH_ASSIGN(material_.pairs, read_preferences(file, fallback));
    std::vector<Preference> kept;
    for (Preference& preference : material_.pairs) {
      LLMPATCH_ASSIGN(Pair pair, encode_pair(preference));
      if (asks_teacher(options_)) {
        cut_answer(pair.chosen, kTokensPerTeachers * options_.chosen_tokens);
      }
      if (pair.chosen.empty()) continue;  // cut before its first text
      if (taken_ != nullptr) pair.refuses = is_refusal(preference.chosen);
      material_.set.pairs.push_back(std::move(pair));
      kept.push_back(std::move(preference));
    }
    material_.pairs = std::move(kept);
    if (material_.pairs.empty()) {
      return make_error(ErrorKind::kUnmet, "learn",
                        "pairs: found none that pass the filter, expected at least one",
                        "look at " + run_.file("samples.jsonl").string() +
                            "; --margin and --max-chosen-score set the filter");
    }
    hooks_.tell((taken_ != nullptr ? taken_->risk + " pairs: " : "pairs: ") +
                std::to_string(material_.set.pairs.size()) + " from " +
                std::to_string(data_.prompts.size()) +
                (options_.pairs.empty() ? " prompts" : " lines"));
    return {};
  }

  // Leaves the stage "retain" to be said done.
  Status make_retained() {
    if (taken_ != nullptr) {
      LLMPATCH_TRY(begin_with("retain.jsonl", taken_->retain.answers));
      LLMPATCH_TRY(begin_with("retain-validation.jsonl", taken_->validate_retain.answers));
      if (answers_corrections(options_)) {
        LLMPATCH_TRY(begin_with("corrections.jsonl", taken_->corrections));
      }
    }
    LLMPATCH_TRY(run_.timed("retain", [&]() -> Status {
      LLMPATCH_ASSIGN(const auto own,
                      own_answers(data_.retain, data_.retain_formats, "retain.jsonl",
                                  options_.retain_tokens, material_.set.retained));
      if (makes_corrections(options_)) LLMPATCH_TRY(make_corrections(own));
      LLMPATCH_ASSIGN(const auto validation,
                      own_answers(data_.validate_retain, data_.validate_retain_formats,
                                  "retain-validation.jsonl", options_.retain_tokens,
                                  material_.validation.benign_texts));
      for (const Answers& answers : validation) {
        if (is_refusal(answers.texts[0])) ++material_.validation.base_refused;
      }
      return keeps_whole_answers(options_) ? make_whole() : Status();
    }));
    if (taken_ == nullptr) {
      material_.validation.harmful = data_.validate;
      material_.validation.harmful_formats = data_.validate_formats;
    }
    material_.validation.benign = data_.validate_retain;
    material_.validation.benign_formats = data_.validate_retain_formats;
    return {};
  }

 private:
  fs::path own_file(const char* name) const {
    return run_.file(taken_ != nullptr ? file_of(*taken_, name) : name);
  }

  // Answers that are there already; generate_answers() goes on after them.
  Status begin_with(const char* name, const std::vector<std::string>& lines) const {
    std::error_code code;
    if (lines.empty() || fs::exists(own_file(name), code)) return {};
    std::string text;
    for (const std::string& line : lines) text += line + "\n";
    return write_file_atomic(own_file(name), text);
  }

  Status ask_teacher(std::vector<Answers>& answers) {
    return run_.timed("teacher", [&]() -> Status {
      AnswerSettings settings;
      settings.samples = samples_of(options_);
      settings.max_tokens = options_.chosen_tokens;
      settings.system = options_.teacher_system;
      // One answer is the teacher's greedy one; several are sampled, and the judge picks.
      if (settings.samples > 1) settings.sampling = nucleus_sampling(options_);
      settings.sampling.seed = options_.seed;  // a server may want one all the same
      if (options_.teacher_endpoint.given()) {
        LLMPATCH_ASSIGN(answers,
                        ask_endpoint(options_.teacher_endpoint, data_.prompts, data_.prompt_formats,
                                     settings, run_.file("teacher.jsonl"), hooks_.cancel,
                                     hooks_.begin("teacher", "prompts")));
        tell_unanswered(answers);
        return run_.set_done("teacher");
      }
      std::unique_ptr<Engine> own;
      if (other_model_ != nullptr) {
        LLMPATCH_ASSIGN(own, Engine::create(*other_model_, engine_options(options_)));
      }
      LLMPATCH_ASSIGN(answers,
                      generate_answers(own ? *own : engine_, data_.prompts, data_.prompt_formats,
                                       settings, run_.file("teacher.jsonl"), hooks_.cancel,
                                       hooks_.begin("teacher", "prompts")));
      if (judge_.uses_gld()) {
        LLMPATCH_ASSIGN(gld_.chosen, gld_of(own ? *own : engine_, options_.teacher_system));
      }
      return run_.set_done("teacher");
    });
  }

  void tell_unanswered(const std::vector<Answers>& answers) const {
    const auto empty = [](const Answers& one) {
      return std::ranges::all_of(one.texts, [](const std::string& text) { return text.empty(); });
    };
    const auto count = std::ranges::count_if(answers, empty);
    if (count == 0) return;
    hooks_.tell("teacher: " + std::to_string(count) + " of " + std::to_string(answers.size()) +
                " prompts have no answer and are not learned from");
  }

  // Of the model in `engine`, under `system`, at every prompt.
  Result<std::vector<double>> gld_of(Engine& engine, const std::string& system) const {
    std::vector<Tokens> prompts;
    for (std::size_t i = 0; i < data_.prompts.size(); ++i) {
      LLMPATCH_ASSIGN(Tokens prompt, encode_prompt(engine.model(), data_.prompts[i],
                                                   data_.prompt_formats[i], system));
      prompts.push_back(std::move(prompt));
    }
    LLMPATCH_ASSIGN(const auto leans, measure_gender_lean(engine, prompts, {}, hooks_.cancel,
                                                          hooks_.begin("gld", "prompts")));
    std::vector<double> values;
    for (const GenderLean& lean : leans) values.push_back(lean.gld());
    return values;
  }

  // The base model's greedy answers to `prompts`, of at most `tokens` tokens, kept in the file
  // `name`; those that are neither empty nor a refusal are added to `texts`: nobody wants to retain
  // a refusal of a benign prompt.
  Result<std::vector<Answers>> own_answers(const std::vector<Prompt>& prompts,
                                           const std::vector<PromptFormat>& formats,
                                           const char* name, int tokens,
                                           std::vector<Retained>& texts) {
    AnswerSettings settings;
    settings.max_tokens = tokens;
    LLMPATCH_ASSIGN(auto answers,
                    generate_answers(engine_, prompts, formats, settings, own_file(name),
                                     hooks_.cancel, hooks_.begin("retain", "prompts")));
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      Retained text;
      LLMPATCH_ASSIGN(text.prompt, encode_prompt(engine_.model(), prompts[i], formats[i]));
      LLMPATCH_ASSIGN(text.answer,
                      encode_answer(engine_.model(), answers[i].texts[0], answers[i].complete[0]));
      if (!text.answer.empty() && !is_refusal(answers[i].texts[0]))
        texts.push_back(std::move(text));
    }
    return answers;
  }

  // Longer answers to some of the retained prompts, spread evenly over the files.
  Status make_whole() {
    std::vector<Prompt> prompts;
    std::vector<PromptFormat> formats;
    const auto count = static_cast<std::size_t>(options_.whole_texts);
    for (const std::size_t i : spread_places(data_.retain.size(), count)) {
      prompts.push_back(data_.retain[i]);
      formats.push_back(data_.retain_formats[i]);
    }
    LLMPATCH_TRY(own_answers(prompts, formats, "retain-whole.jsonl", options_.whole_tokens,
                             material_.set.whole));
    return {};
  }

  // Where the base model itself refuses a benign prompt there is nothing to retain: the refusal is
  // rejected, and where an answer is needed, of a few sampled ones the first that is no refusal is
  // chosen.
  Status make_corrections(const std::vector<Answers>& own) {
    std::vector<Prompt> prompts;
    std::vector<PromptFormat> formats;
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < own.size(); ++i) {
      if (!is_refusal(own[i].texts[0])) continue;
      prompts.push_back(data_.retain[i]);
      formats.push_back(data_.retain_formats[i]);
      places.push_back(i);
    }
    const auto correct = [&](std::size_t i, const std::string& chosen, bool complete) -> Status {
      Preference instead;
      instead.prompt = prompts[i];
      instead.format = formats[i];
      instead.chosen = chosen;
      instead.chosen_complete = complete;
      instead.rejected = own[places[i]].texts[0];
      instead.rejected_complete = own[places[i]].complete[0];
      LLMPATCH_ASSIGN(Pair pair, encode_pair(instead));
      material_.set.corrections.push_back(std::move(pair));
      material_.corrections.push_back(std::move(instead));
      return {};
    };
    if (!answers_corrections(options_)) {
      for (std::size_t i = 0; i < prompts.size(); ++i) LLMPATCH_TRY(correct(i, "", false));
      return {};
    }
    AnswerSettings settings;
    settings.samples = kCorrectionSamples;
    settings.max_tokens = options_.retain_tokens;
    settings.sampling = nucleus_sampling(options_);
    settings.sampling.temperature = kCorrectionTemperature;
    LLMPATCH_ASSIGN(
        const auto sampled,
        generate_answers(engine_, prompts, formats, settings, own_file("corrections.jsonl"),
                         hooks_.cancel, hooks_.begin("corrections", "prompts")));
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      for (std::size_t k = 0; k < sampled[i].texts.size(); ++k) {
        if (sampled[i].texts[k].empty() || is_refusal(sampled[i].texts[k])) continue;
        LLMPATCH_TRY(correct(i, sampled[i].texts[k], sampled[i].complete[k]));
        break;
      }
    }
    return {};
  }

  Result<Pair> encode_pair(const Preference& preference) const {
    Pair pair;
    LLMPATCH_ASSIGN(pair.prompt,
                    encode_prompt(engine_.model(), preference.prompt, preference.format));
    LLMPATCH_ASSIGN(pair.chosen,
                    encode_answer(engine_.model(), preference.chosen, preference.chosen_complete));
    LLMPATCH_ASSIGN(pair.rejected, encode_answer(engine_.model(), preference.rejected,
                                                 preference.rejected_complete));
    return pair;
  }

  const FinishedRun* taken_;
  const LearnOptions& options_;
  const LearnHooks& hooks_;
  const LearnData& data_;
  Engine& engine_;
  const Model* other_model_;
  const Judge& judge_;
  RunDirectory& run_;
  AnswerGld gld_;
  Material material_;
};

// One of a joint run's runs, at work.
struct Part {
  LearnOptions options;
  LearnData data;
  std::unique_ptr<MaterialMaker> maker;
};

template <class T>
void move_to(std::vector<T>& all, std::vector<T>& some) {
  std::move(some.begin(), some.end(), std::back_inserter(all));
}

// Adds what a run gave; TrainingSet's lists are in the order of the runs.
void add(Material& all, Material part, const FinishedRun& run) {
  all.set.risks.push_back(run.risk);
  all.set.risk_pairs.push_back(part.set.pairs.size());
  all.set.risk_retained.push_back(part.set.retained.size());
  all.set.risk_whole.push_back(part.set.whole.size());
  move_to(all.pairs, part.pairs);
  move_to(all.corrections, part.corrections);
  move_to(all.set.pairs, part.set.pairs);
  move_to(all.set.corrections, part.set.corrections);
  move_to(all.set.retained, part.set.retained);
  move_to(all.set.whole, part.set.whole);
  move_to(all.validation.benign, part.validation.benign);
  move_to(all.validation.benign_formats, part.validation.benign_formats);
  move_to(all.validation.benign_texts, part.validation.benign_texts);
  all.validation.base_refused += part.validation.base_refused;
}

Status make_parts(const MaterialSources& sources, Material& material) {
  std::vector<std::unique_ptr<Part>> parts;
  for (const FinishedRun& run : sources.data.runs) {
    auto part = std::make_unique<Part>(Part{sources.options, data_of(run), nullptr});
    part->options.joint.clear();
    part->options.pairs = {run.path / "pairs.jsonl"};
    part->options.retain_tokens = run.retain_tokens;
    part->maker = std::make_unique<MaterialMaker>(
        MaterialSources{part->options, sources.hooks, part->data, sources.engine, nullptr,
                        sources.judge, sources.run},
        &run);
    LLMPATCH_TRY(part->maker->make_pairs());
    parts.push_back(std::move(part));
  }
  LLMPATCH_TRY(sources.run.set_done("pairs"));
  for (std::size_t i = 0; i < parts.size(); ++i) {
    LLMPATCH_TRY(parts[i]->maker->make_retained());
    add(material, parts[i]->maker->take(), sources.data.runs[i]);
  }
  return {};
}

}  // namespace

Result<Material> make_material(const MaterialSources& sources) {
  Material material;
  if (!sources.data.runs.empty()) {
    LLMPATCH_TRY(make_parts(sources, material));
  } else {
    MaterialMaker maker(sources);
    LLMPATCH_TRY(maker.make_pairs());
    LLMPATCH_TRY(sources.run.set_done("pairs"));
    LLMPATCH_TRY(maker.make_retained());
    material = maker.take();
  }
  for (const std::string& beginning : sources.options.unwanted) {
    LLMPATCH_ASSIGN(Tokens tokens,
                    encode_answer(sources.engine.model(), beginning, /*complete=*/false));
    material.set.unwanted.push_back(std::move(tokens));
  }
  LLMPATCH_TRY(sources.run.set_done("retain"));
  return material;
}

}  // namespace llmpatch
