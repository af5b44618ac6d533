#include "learn/finished_run.h"

#include <limits>

#include "base/file.h"
#include "base/file_digest.h"
#include "base/lines.h"
#include "base/quote.h"
#include "learn/answer_file.h"
#include "patch/names.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

constexpr const char* kInputs = "inputs.jsonl";

// Null where there are none.
Json settings_of(const Json& stage) { return stage.value("settings", Json()); }

class Reader {
 public:
  explicit Reader(const fs::path& path) : path_(path) { run_.path = path; }

  Result<FinishedRun> read() {
    LLMPATCH_ASSIGN(const Json all, RunDirectory::read_settings(path_, "joint run"));
    LLMPATCH_ASSIGN(stages_, json_object(all, "stages", settings()));
    LLMPATCH_TRY(check_stages());
    const Json about = all.value("about", Json());
    if (!about.is_object()) {
      return unfit("found no record of its prompts and its judge",
                   "run its own command again: what is finished stays, and the record is added");
    }
    LLMPATCH_TRY(read_about(about));
    LLMPATCH_TRY(read_inputs());
    LLMPATCH_TRY(read_pairs());
    LLMPATCH_TRY(read_answers("retain.jsonl", run_.retain));
    LLMPATCH_TRY(read_answers("retain-validation.jsonl", run_.validate_retain));
    LLMPATCH_ASSIGN(run_.corrections, lines_of("corrections.jsonl"));
    return std::move(run_);
  }

 private:
  std::string settings() const { return (path_ / "settings.json").string(); }
  Error unfit(const std::string& message, const std::string& hint = "") const {
    return make_error(ErrorKind::kInvalidArgument, "learn",
                      "joint run " + path_.string() + ": " + message, hint);
  }
  Error corrupt(const std::string& file, const std::string& message) const {
    return make_error(ErrorKind::kCorrupt, "learn", (path_ / file).string() + ": " + message);
  }

  Status check_stages() const {
    const Json* pairs = nullptr;
    for (const auto& [name, stage] : stages_.items()) {
      const auto done = stage.is_object() ? stage.find("done") : stage.end();
      if (done == stage.end() || !done->is_boolean() || !settings_of(stage).is_object()) {
        return corrupt("settings.json", "found no record of stage " + quote(name));
      }
      if (!done->get<bool>()) {
        return unfit("found its stage " + quote(name) + " not done, expected a finished run",
                     "run its own command again: it goes on where it stopped");
      }
      if (name == "pairs") pairs = &stage;
    }
    if (pairs == nullptr || !(stages_.contains("sft") || stages_.contains("dpo"))) {
      return unfit("found no pairs or no learning, expected a run that learned a patch");
    }
    if (settings_of(*pairs).contains("runs")) {
      return unfit("found a joint run, expected one of a single patch");
    }
    return {};
  }

  // A setting of a stage; null where there is none.
  Json setting(const char* stage, const char* name) const {
    const auto found = stages_.find(stage);
    if (found == stages_.end()) return {};
    return settings_of(*found).value(name, Json());
  }

  Result<int> count(const Json& about, const char* name, int least) const {
    LLMPATCH_ASSIGN(const std::int64_t value, json_integer(about, name, settings()));
    if (value < least || value > std::numeric_limits<int>::max()) {
      return corrupt("settings.json", std::string("member '") + name + "': found " +
                                          std::to_string(value) + ", out of range");
    }
    return static_cast<int>(value);
  }

  Status read_about(const Json& about) {
    LLMPATCH_ASSIGN(run_.patch, json_string(about, "patch", settings()));
    LLMPATCH_ASSIGN(run_.risk, json_string(about, "risk", settings()));
    if (!is_patch_name(run_.risk)) {  // it becomes a part of file names
      return corrupt("settings.json", "member 'risk': found " + quote(run_.risk));
    }
    LLMPATCH_ASSIGN(run_.base, json_string(about, "base", settings()));
    LLMPATCH_ASSIGN(run_.base_name, json_string(about, "base_name", settings()));
    LLMPATCH_ASSIGN(run_.judge, json_string(about, "judge", settings()));
    LLMPATCH_ASSIGN(run_.judge_identity, json_string(about, "judge_identity", settings()));
    LLMPATCH_ASSIGN(run_.validate_tokens, count(about, "validate_tokens", 1));
    LLMPATCH_ASSIGN(run_.validate_samples, count(about, "validate_samples", 0));
    LLMPATCH_ASSIGN(run_.retain_tokens, count(about, "retain_tokens", 1));
    return {};
  }

  Status read_inputs() {
    LLMPATCH_ASSIGN(std::vector<Prompt> prompts,
                    read_prompts(path_ / kInputs, "prompts of a joint run"));
    for (Prompt& prompt : prompts) {
      const std::string where = line_of(kInputs, prompt);
      LLMPATCH_ASSIGN(const std::string set, json_string(prompt.fields, "set", where));
      LLMPATCH_ASSIGN(const PromptFormat format, format_of(prompt, PromptFormat::kChat, where));
      PromptList* list = set == "retain"            ? &run_.retain
                         : set == "validate"        ? &run_.validate
                         : set == "validate_retain" ? &run_.validate_retain
                                                    : nullptr;
      if (list == nullptr) {
        return corrupt(kInputs, "line " + std::to_string(prompt.line) + ": member 'set': found " +
                                    quote(set) + ", expected retain, validate or validate_retain");
      }
      list->prompts.push_back(std::move(prompt));
      list->formats.push_back(format);
    }
    const char* learning = stages_.contains("sft") ? "sft" : "dpo";
    LLMPATCH_TRY(check_digest(run_.retain, setting("retain", "prompts"), "retain"));
    LLMPATCH_TRY(
        check_digest(run_.validate_retain, setting("retain", "validation"), "validate_retain"));
    return check_digest(run_.validate, setting(learning, "validate"), "validate");
  }

  std::string line_of(const char* file, const Prompt& prompt) const {
    return (path_ / file).string() + " line " + std::to_string(prompt.line);
  }

  Status check_digest(const PromptList& list, const Json& recorded, const char* set) const {
    if (recorded == digest_of(list.prompts, list.formats)) return {};
    return corrupt(kInputs, std::string("found other prompts of the set ") + set +
                                " than those that settings.json has the digest of");
  }

  Status read_pairs() {
    LLMPATCH_ASSIGN(run_.pairs.prompts, read_prompts(path_ / "pairs.jsonl", "preference pairs"));
    LLMPATCH_ASSIGN(run_.pairs_digest, sha256_of_file(path_ / "pairs.jsonl", "preference pairs"));
    for (const Prompt& prompt : run_.pairs.prompts) {
      LLMPATCH_ASSIGN(const PromptFormat format,
                      format_of(prompt, PromptFormat::kChat, line_of("pairs.jsonl", prompt)));
      run_.pairs.formats.push_back(format);
    }
    return {};
  }

  // Lines of a file that some runs do not have.
  Result<std::vector<std::string>> lines_of(const char* file) const {
    std::error_code code;
    if (!fs::exists(path_ / file, code)) return std::vector<std::string>{};
    LLMPATCH_ASSIGN(const std::string text, read_file(path_ / file, kMaxAnswerBytes, "answers"));
    const auto lines = whole_lines(text);
    return std::vector<std::string>(lines.begin(), lines.end());
  }

  Status read_answers(const char* file, AnsweredPrompts& prompts) const {
    LLMPATCH_ASSIGN(prompts.answers, lines_of(file));
    if (prompts.answers.size() == prompts.prompts.size()) return {};
    return corrupt(file, "found " + std::to_string(prompts.answers.size()) + " lines, expected " +
                             std::to_string(prompts.prompts.size()));
  }

  fs::path path_;
  Json stages_;
  FinishedRun run_;
};

void add_inputs(const PromptList& list, const char* set, std::string& text) {
  for (std::size_t i = 0; i < list.prompts.size(); ++i) {
    OrderedJson line{{"set", set}};
    line.update(prompt_to_json(list.prompts[i], list.formats[i]));
    text += json_line(line) + "\n";
  }
}

}  // namespace

std::string file_of(const FinishedRun& run, const std::string& file) {
  return run.risk + "." + file;
}

Status record_run(RunDirectory& run, const FinishedRun& record) {
  std::string inputs;
  add_inputs(record.retain, "retain", inputs);
  add_inputs(record.validate, "validate", inputs);
  add_inputs(record.validate_retain, "validate_retain", inputs);
  LLMPATCH_TRY(write_file_atomic(run.file(kInputs), inputs));
  return run.describe({{"patch", record.patch},
                       {"risk", record.risk},
                       {"base", record.base},
                       {"base_name", record.base_name},
                       {"judge", record.judge},
                       {"judge_identity", record.judge_identity},
                       {"validate_tokens", record.validate_tokens},
                       {"validate_samples", record.validate_samples},
                       {"retain_tokens", record.retain_tokens}});
}

Result<FinishedRun> read_finished_run(const std::filesystem::path& path) {
  return Reader(path).read();
}

}  // namespace llmpatch
