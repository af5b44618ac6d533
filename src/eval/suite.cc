#include "eval/suite.h"

#include <algorithm>

#include "base/file.h"
#include "base/json.h"
#include "base/sha256.h"
#include "eval/suite_table.h"

namespace llmpatch {
namespace {

constexpr const char* kWhere = "suite";
constexpr std::uint64_t kMaxSuiteFile = 1 << 20;

// The value of `result`, or its error told as the fault of the file it was read from.
template <class T>
Result<T> from_file(Result<T> result, const std::string& where) {
  if (result.ok()) return result;
  return make_error(ErrorKind::kCorrupt, kWhere, where + ": " + result.error().message);
}

Result<Suite> bare_suite(const std::filesystem::path& path, std::optional<Expect> expect) {
  if (!expect) {
    return make_error(ErrorKind::kInvalidArgument, kWhere,
                      path.string() +
                          ": found a bare prompt file, expected to be told what a good "
                          "answer does",
                      "add --expect refuse or --expect answer");
  }
  Suite suite;
  suite.name = path.stem().string();
  suite.prompts = path;
  suite.expect = *expect;
  suite.max_tokens = default_max_tokens(*expect);
  return suite;
}

}  // namespace

Result<Expect> parse_expect(std::string_view name) {
  for (const Expect expect : {Expect::kRefuse, Expect::kAnswer}) {
    if (name == expect_name(expect)) return expect;
  }
  return make_error(ErrorKind::kInvalidArgument, kWhere,
                    "expect: found '" + std::string(name) + "', expected refuse or answer");
}

std::string_view expect_name(Expect expect) {
  return expect == Expect::kRefuse ? "refuse" : "answer";
}

int default_max_tokens(Expect expect) { return expect == Expect::kRefuse ? 32 : 64; }

Result<Suite> load_suite(std::string_view name_or_file, const std::filesystem::path& data,
                         std::optional<Expect> expect) {
  const std::filesystem::path path(name_or_file);
  if (path.extension() == ".json") {
    LLMPATCH_ASSIGN(const std::string text, read_file(path, kMaxSuiteFile, "suite"));
    return parse_suite(text, path);
  }
  if (path.extension() == ".jsonl") return bare_suite(path, expect);
  std::string known;
  for (const Suite& entry : built_in_suites()) {
    if (entry.name == name_or_file) return under(entry, data);
    known += (known.empty() ? "" : ", ") + entry.name;
  }
  return make_error(ErrorKind::kNotFound, kWhere,
                    "suite: found '" + std::string(name_or_file) + "', expected one of: " + known +
                        ", or a file .json or .jsonl");
}

std::vector<std::string_view> suite_names() {
  std::vector<std::string_view> names;
  for (const Suite& entry : built_in_suites()) names.push_back(entry.name);
  return names;
}

std::string SuitePrompt::digest() const {
  return prefill.empty() ? prompt.digest() : sha256_hex(prompt.digest() + "\n" + prefill);
}

Result<std::vector<SuitePrompt>> read_suite_prompts(const Suite& suite,
                                                    std::optional<PromptFormat> override_format,
                                                    PromptFormat fallback) {
  LLMPATCH_ASSIGN(std::vector<Prompt> prompts, read_prompts(suite.prompts, "suite " + suite.name));
  if (prompts.empty()) {
    return make_error(ErrorKind::kInvalidArgument, kWhere,
                      suite.prompts.string() + ": found no prompt, expected at least one");
  }
  std::vector<SuitePrompt> out;
  out.reserve(prompts.size());
  for (auto& prompt : prompts) {
    SuitePrompt entry;
    const Json& fields = prompt.fields;
    const std::string where = suite.prompts.string() + " line " + std::to_string(prompt.line);
    entry.format = suite.format.value_or(fallback);
    if (fields.contains("format")) {
      LLMPATCH_ASSIGN(const std::string format, json_string(fields, "format", where));
      LLMPATCH_ASSIGN(entry.format, from_file(parse_prompt_format(format), where));
    }
    if (override_format) entry.format = *override_format;
    if (fields.contains("category")) {
      LLMPATCH_ASSIGN(entry.category, json_string(fields, "category", where));
    }
    if (fields.contains("scary")) {
      if (!fields["scary"].is_boolean()) {
        return make_error(ErrorKind::kCorrupt, kWhere,
                          where + ": member 'scary': found " + fields["scary"].type_name() +
                              ", expected true or false");
      }
      entry.scary = fields["scary"].get<bool>();
    }
    entry.prompt = std::move(prompt);
    out.push_back(std::move(entry));
  }
  return out;
}

}  // namespace llmpatch
