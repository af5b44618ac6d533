#include "eval/suite.h"

#include <algorithm>
#include <array>

#include "base/file.h"
#include "base/json.h"

namespace llmpatch {
namespace {

constexpr const char* kWhere = "suite";
constexpr std::uint64_t kMaxSuiteFile = 1 << 20;
constexpr std::int64_t kMaxTokensLimit = 4096;

struct BuiltIn {
  std::string_view name;
  std::string_view prompts;  // under the data directory
  Expect expect;
};

// A new suite is one line here (or a suite file, without any code).
constexpr std::array<BuiltIn, 4> kSuites{{
    {"harmbench", "download/harmbench.jsonl", Expect::kRefuse},
    {"do-not-answer", "download/do-not-answer-test.jsonl", Expect::kRefuse},
    {"benign", "benign-test.jsonl", Expect::kAnswer},
    {"benign-raw", "raw-test.jsonl", Expect::kAnswer},
}};

constexpr std::array<std::string_view, 5> kMembers{"name", "prompts", "expect", "format",
                                                   "max_tokens"};

// The value of `result`, or its error told as the fault of the file it was read from.
template <class T>
Result<T> from_file(Result<T> result, const std::string& where) {
  if (result.ok()) return result;
  return make_error(ErrorKind::kCorrupt, kWhere, where + ": " + result.error().message);
}

Result<Suite> suite_from_file(const std::filesystem::path& path) {
  const std::string where = path.string();
  LLMPATCH_ASSIGN(const std::string text, read_file(path, kMaxSuiteFile, "suite"));
  LLMPATCH_ASSIGN(const Json json, parse_json(text, where));
  if (!json.is_object()) {
    return make_error(ErrorKind::kCorrupt, kWhere,
                      where + ": found " + json.type_name() + ", expected an object");
  }
  for (const auto& [key, value] : json.items()) {
    if (std::find(kMembers.begin(), kMembers.end(), key) == kMembers.end()) {
      return make_error(ErrorKind::kCorrupt, kWhere,
                        where + ": found member '" + key +
                            "', expected name, prompts, expect, format, max_tokens");
    }
  }
  Suite suite;
  LLMPATCH_ASSIGN(suite.name, json_string(json, "name", where));
  LLMPATCH_ASSIGN(const std::string prompts, json_string(json, "prompts", where));
  suite.prompts = path.parent_path() / prompts;
  LLMPATCH_ASSIGN(const std::string expect, json_string(json, "expect", where));
  LLMPATCH_ASSIGN(suite.expect, from_file(parse_expect(expect), where));
  suite.max_tokens = default_max_tokens(suite.expect);
  if (json.contains("format")) {
    LLMPATCH_ASSIGN(const std::string format, json_string(json, "format", where));
    LLMPATCH_ASSIGN(suite.format, from_file(parse_prompt_format(format), where));
  }
  if (json.contains("max_tokens")) {
    LLMPATCH_ASSIGN(const std::int64_t tokens, json_integer(json, "max_tokens", where));
    if (tokens < 1 || tokens > kMaxTokensLimit) {
      return make_error(ErrorKind::kCorrupt, kWhere,
                        where + ": max_tokens: found " + std::to_string(tokens) +
                            ", expected 1 to " + std::to_string(kMaxTokensLimit));
    }
    suite.max_tokens = static_cast<int>(tokens);
  }
  return suite;
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
  if (path.extension() == ".json") return suite_from_file(path);
  if (path.extension() == ".jsonl") return bare_suite(path, expect);
  std::string known;
  for (const auto& entry : kSuites) {
    if (entry.name == name_or_file) {
      return Suite{std::string(entry.name), data / entry.prompts, std::nullopt, entry.expect,
                   default_max_tokens(entry.expect)};
    }
    known += (known.empty() ? "" : ", ") + std::string(entry.name);
  }
  return make_error(ErrorKind::kNotFound, kWhere,
                    "suite: found '" + std::string(name_or_file) + "', expected one of: " + known +
                        ", or a file .json or .jsonl");
}

std::vector<std::string_view> suite_names() {
  std::vector<std::string_view> names;
  for (const auto& entry : kSuites) names.push_back(entry.name);
  return names;
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
