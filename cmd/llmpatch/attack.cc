// llmpatch attack: searches suffixes that make a model, and a patched model, answer.
#include "study/attack.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/file_digest.h"
#include "base/lines.h"
#include "base/sha256.h"
#include "command.h"
#include "gguf/gguf_file.h"
#include "learn/processor.h"
#include "patch_options.h"
#include "progress_bar.h"
#include "run_options.h"
#include "terminal.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 28;

struct Options {
  RunOptions run;
  PatchOptions patches;
  AttackOptions attack;
  fs::path prompts, output;
  std::string format, judge = "refusal";
  fs::path data = "data";
  std::size_t limit = 20;
  bool force = false;
};

// The rows of a sequential stack, as one prefix.
Rows joined_rows(const std::vector<AdmittedPatch>& admitted) {
  Rows rows;
  for (const AdmittedPatch& patch : admitted) {
    const Rows& more = patch.patch.rows;
    rows.n += more.n;
    rows.d = more.d;
    rows.values.insert(rows.values.end(), more.values.begin(), more.values.end());
  }
  return rows;
}

// One line a prompt; the first says what the others depend on. The same command goes on. The file
// is made with the first result.
class ResultFile {
 public:
  ResultFile(fs::path path, Json settings)
      : path_(std::move(path)), settings_(std::move(settings)) {}

  Status open(bool force) {
    std::error_code code;
    if (!fs::exists(path_, code) || force) return {};
    LLMPATCH_ASSIGN(const std::string text, read_file(path_, kMaxBytes, "attack results"));
    const auto lines = whole_lines(text);
    const Json first = lines.empty() ? Json() : Json::parse(lines[0], nullptr, false);
    if (first != settings_) {
      return make_error(ErrorKind::kExists, "attack",
                        path_.string() + ": it exists already, from another command",
                        "choose another file or say --force");
    }
    begun_ = true;
    std::string kept;
    for (std::size_t i = 0; i < lines.size(); ++i) {
      kept.append(lines[i]).append("\n");
      if (i == 0) continue;
      const std::string where = path_.string() + " line " + std::to_string(i + 1);
      LLMPATCH_ASSIGN(const Json json, parse_json(lines[i], where));
      LLMPATCH_ASSIGN(AttackResult result, parse_attack_result(json, where));
      done_.emplace(result.digest, std::move(result));
    }
    return kept == text ? Status() : write_file_atomic(path_, kept);  // a line cut by a kill
  }

  const AttackResult* find(const std::string& digest) const {
    const auto found = done_.find(digest);
    return found == done_.end() ? nullptr : &found->second;
  }
  Status add(const AttackResult& result) {
    if (!begun_) LLMPATCH_TRY(write_file_atomic(path_, json_line(settings_) + "\n"));
    begun_ = true;
    return append_text(path_, json_line(to_json(result)) + "\n");
  }

 private:
  fs::path path_;
  Json settings_;
  bool begun_ = false;
  std::map<std::string, AttackResult> done_;
};

Result<Json> settings_of(const Options& options, const Rows& rows) {
  LLMPATCH_ASSIGN(const std::string model, sha256_of_file(options.run.model, "base model"));
  LLMPATCH_ASSIGN(const std::string prompts, sha256_of_file(options.prompts, "prompts"));
  const SuffixSearchOptions& search = options.attack.search;
  return Json{{"model", model},
              {"prompts", prompts},
              {"rows", rows.n == 0 ? Json() : Json(sha256_hex(rows_to_safetensors(rows)))},
              {"judge", options.judge},
              {"format", options.format},
              {"steps", search.steps},
              {"candidates", search.candidates},
              {"suffix_tokens", search.suffix_tokens},
              {"target", search.target},
              {"answer_tokens", options.attack.answer_tokens},
              {"seed", search.seed}};
}

Status run(const Options& options, const CancelFlag& cancel) {
  LLMPATCH_ASSIGN(const Compose compose, options.patches.composition());
  if (compose == Compose::kParallel && options.patches.patches.size() > 1) {
    return make_error(ErrorKind::kUnsupported, "attack",
                      "--compose parallel: suffixes are searched behind one prefix");
  }
  LLMPATCH_ASSIGN(std::vector<Prompt> prompts, read_prompts(options.prompts, "prompts"));
  prompts.resize(std::min(prompts.size(), options.limit));
  LLMPATCH_ASSIGN(const auto admitted,
                  options.patches.admit_every(options.run.model, options.force, "attack"));
  const Rows rows = joined_rows(admitted);
  LLMPATCH_ASSIGN(Json settings, settings_of(options, rows));
  ResultFile results(options.output, std::move(settings));
  LLMPATCH_TRY(results.open(options.force));
  LLMPATCH_ASSIGN(const auto judge, make_judge(options.judge, {options.data, &cancel}));
  LLMPATCH_ASSIGN(const auto model, options.run.load_model());
  PromptFormat format = default_prompt_format(*model);
  if (!options.format.empty()) {
    LLMPATCH_ASSIGN(format, parse_prompt_format(options.format));
  }
  LLMPATCH_ASSIGN(const auto engine, Engine::create(*model, options.run.engine_options()));
  LLMPATCH_ASSIGN(const GgufFile file, GgufFile::open(options.run.model));
  LLMPATCH_ASSIGN(const auto transformer, load_transformer(file, fastest_arithmetic()));
  ProgressBar bar("attack", "prompts");
  std::vector<AttackResult> all;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    bar.update(i, prompts.size());
    if (const AttackResult* done = results.find(prompts[i].digest())) {
      all.push_back(*done);
      continue;
    }
    LLMPATCH_ASSIGN(AttackResult result,
                    attack_prompt({*engine, *transformer, rows, *judge}, prompts[i], format,
                                  options.attack, &cancel));
    LLMPATCH_TRY(results.add(result));
    all.push_back(std::move(result));
  }
  bar.clear();
  return print(attack_table(all, rows.n > 0));
}

}  // namespace

RunFn declare_attack(CLI::App& app) {
  auto options = std::make_shared<Options>();
  options->run.declare(app);
  options->patches.declare(app);
  SuffixSearchOptions& search = options->attack.search;
  const auto add = [&app](const char* name, auto& value, const char* text, int least) {
    app.add_option(name, value, text)->capture_default_str()->check(CLI::Range(least, 1 << 20));
  };
  app.add_option("--prompts", options->prompts, "JSON lines with `prompt`: harmful requests")
      ->required();
  add("--limit", options->limit, "Attack the first N of them", 1);
  add("--steps", search.steps, "Steps of the search, for each request", 0);
  add("--candidates", search.candidates, "Suffixes tried a step", 1);
  add("--suffix-tokens", search.suffix_tokens, "Tokens of the suffix", 1);
  app.add_option("--target", search.target, "How the answer is to begin")->capture_default_str();
  add("--answer-tokens", options->attack.answer_tokens, "Tokens of each answer that are judged", 1);
  app.add_option("--judge", options->judge, "Judge of the answers, by name or file")
      ->capture_default_str();
  app.add_option("--data", options->data, "Folder whose `download` has the tables of judges")
      ->capture_default_str();
  app.add_option("--format", options->format, "chat or raw (default: the model's own)");
  app.add_option("--seed", search.seed, "Of the search")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_option("-o,--output", options->output,
                 "JSON lines: the suffixes found and what came of them; the same command goes on "
                 "where it was stopped")
      ->required();
  app.add_flag("--force", options->force,
               "Replace an existing output; attack a patch on a model it was not made for");
  return [options](const CancelFlag& cancel) { return run(*options, cancel); };
}

}  // namespace llmpatch
