// Suite files: one JSON object that names prompts, decoding and judges.
#include <algorithm>
#include <array>
#include <functional>

#include "base/json.h"
#include "base/quote.h"
#include "eval/suite.h"
#include "eval/suite_kind.h"
#include "eval/suite_table.h"
#include "judge/judge.h"

namespace llmpatch {
namespace {

constexpr std::int64_t kMaxTokensLimit = 4096;
constexpr std::int64_t kMaxSamples = 1000;
constexpr std::int64_t kMaxFillerTokens = 1 << 20;
constexpr std::int64_t kMaxShots = 64;
constexpr std::size_t kMaxList = 64;

Error wrong(const std::string& where, const std::string& message) {
  return make_error(ErrorKind::kCorrupt, "suite", where + ": " + message);
}

// The error of `status`, told as the fault of the file.
template <class T>
Result<T> of_file(Result<T> result, const std::string& where) {
  if (result.ok()) return result;
  return wrong(where, result.error().message);
}

Result<int> integer(const Json& object, const char* key, std::int64_t low, std::int64_t high,
                    const std::string& where) {
  LLMPATCH_ASSIGN(const std::int64_t value, json_integer(object, key, where));
  if (value < low || value > high) {
    return wrong(where, std::string(key) + ": found " + std::to_string(value) + ", expected " +
                            std::to_string(low) + " to " + std::to_string(high));
  }
  return static_cast<int>(value);
}

Result<std::vector<int>> integers(const Json& object, const char* key, std::int64_t high,
                                  const std::string& where) {
  LLMPATCH_ASSIGN(const Json list, json_array(object, key, where));
  std::vector<int> values;
  for (const Json& entry : list) {
    LLMPATCH_ASSIGN(const int value, integer(Json::object({{key, entry}}), key, 0, high, where));
    if (std::ranges::find(values, value) != values.end()) {
      return wrong(where, std::string(key) + ": found " + std::to_string(value) + " twice");
    }
    values.push_back(value);
  }
  if (values.empty() || values.size() > kMaxList) {
    return wrong(where, std::string(key) + ": found " + std::to_string(values.size()) +
                            " numbers, expected 1 to " + std::to_string(kMaxList));
  }
  return values;
}

Status read_format(const Json& json, Suite& suite, const std::string& where) {
  LLMPATCH_ASSIGN(const std::string format, json_string(json, "format", where));
  LLMPATCH_ASSIGN(suite.format, of_file(parse_prompt_format(format), where));
  return {};
}

Status read_expect(const Json& json, Suite& suite, const std::string& where) {
  LLMPATCH_ASSIGN(const std::string expect, json_string(json, "expect", where));
  LLMPATCH_ASSIGN(suite.expect, of_file(parse_expect(expect), where));
  suite.max_tokens = default_max_tokens(suite.expect);
  return {};
}

Status read_max_tokens(const Json& json, Suite& suite, const std::string& where) {
  LLMPATCH_ASSIGN(suite.max_tokens, integer(json, "max_tokens", 1, kMaxTokensLimit, where));
  return {};
}

template <std::filesystem::path Suite::*kPath>
Status read_path(const Json& json, const char* key, Suite& suite, const std::string& where) {
  LLMPATCH_ASSIGN(const std::string path, json_string(json, key, where));
  if (path.empty()) return wrong(where, std::string(key) + ": found '', expected a path");
  suite.*kPath = path;
  return {};
}

Status read_judges(const Json& json, Suite& suite, const std::string& where) {
  LLMPATCH_ASSIGN(const Json list, json_array(json, "judges", where));
  const std::vector<std::string_view> known = judge_names();
  for (const Json& entry : list) {
    LLMPATCH_ASSIGN(const std::string judge,
                    json_string(Json::object({{"judges", entry}}), "judges", where));
    // By name only: a judge file may name a program to run, and a suite file comes from anywhere.
    if (std::ranges::find(known, judge) == known.end()) {
      std::string names;
      for (const auto name : known) names += (names.empty() ? "" : ", ") + std::string(name);
      return wrong(where, "judges: found " + quote(judge) + ", expected of: " + names);
    }
    if (std::ranges::find(suite.judges, judge) != suite.judges.end()) {
      return wrong(where, "judges: found '" + judge + "' twice");
    }
    suite.judges.push_back(judge);
  }
  if (suite.judges.empty()) return wrong(where, "judges: found none, expected at least one");
  return {};
}

Result<Decoding> decoding_of(const Json& json, const std::string& where) {
  constexpr std::array<std::string_view, 4> kMembers{"max_tokens", "samples", "temperature",
                                                     "top_p"};
  if (!json.is_object()) {
    return wrong(where, "decoding: found " + std::string(json.type_name()) +
                            ", expected an object or a list of them");
  }
  for (const auto& [key, unused] : json.items()) {
    if (std::ranges::find(kMembers, key) == kMembers.end()) {
      return wrong(where, "decoding: found member " + quote(key) +
                              ", expected max_tokens, samples, temperature, top_p");
    }
  }
  Decoding decoding;
  LLMPATCH_ASSIGN(decoding.max_tokens, integer(json, "max_tokens", 1, kMaxTokensLimit, where));
  if (json.contains("samples")) {
    LLMPATCH_ASSIGN(decoding.samples, integer(json, "samples", 1, kMaxSamples, where));
  }
  if (json.contains("temperature")) {
    LLMPATCH_ASSIGN(const double value, json_number(json, "temperature", where));
    if (!(value >= 0 && value <= 10)) return wrong(where, "temperature: expected 0 to 10");
    decoding.temperature = static_cast<float>(value);
  }
  if (json.contains("top_p")) {
    LLMPATCH_ASSIGN(const double value, json_number(json, "top_p", where));
    if (!(value > 0 && value <= 1)) return wrong(where, "top_p: expected over 0, at most 1");
    decoding.top_p = static_cast<float>(value);
  }
  if (decoding.greedy() && (decoding.samples > 1 || decoding.top_p < 1)) {
    return wrong(where, "decoding: found " + std::to_string(decoding.samples) + " samples, top_p " +
                            std::to_string(decoding.top_p) +
                            " at temperature 0, where all would be equal");
  }
  return decoding;
}

Status read_decoding(const Json& json, Suite& suite, const std::string& where) {
  const Json& given = json["decoding"];
  const Json list = given.is_array() ? given : Json::array({given});
  for (const Json& entry : list) {
    LLMPATCH_ASSIGN(const Decoding decoding, decoding_of(entry, where));
    for (const Decoding& other : suite.decodings) {
      if (other.tag() == decoding.tag()) {
        return wrong(where, "decoding: found two of '" + decoding.tag() +
                                "', expected different numbers of samples");
      }
    }
    suite.decodings.push_back(decoding);
  }
  if (suite.decodings.empty()) return wrong(where, "decoding: found none, expected at least one");
  return {};
}

Status read_threshold(const Json& json, Suite& suite, const std::string& where) {
  LLMPATCH_ASSIGN(suite.threshold, json_number(json, "threshold", where));
  if (!(suite.threshold >= 0 && suite.threshold < 1)) {
    return wrong(where, "threshold: expected 0 to below 1");
  }
  return {};
}

Status read_style(const Json& json, Suite& suite, const std::string& where) {
  LLMPATCH_ASSIGN(const std::string style, json_string(json, "style", where));
  if (style != "mmlu" && style != "arc") {
    return wrong(where, "style: found " + quote(style) + ", expected mmlu or arc");
  }
  suite.lettered = style == "mmlu";
  return {};
}

// A member of suite files: the kinds that have it, and those that need it.
struct Member {
  const char* name;
  std::vector<std::string_view> kinds;  // empty: all
  bool required;
  std::function<Status(const Json&, Suite&, const std::string& where)> read;
};

template <std::filesystem::path Suite::*kPath>
auto path_reader(const char* key) {
  return [key](const Json& json, Suite& suite, const std::string& where) {
    return read_path<kPath>(json, key, suite, where);
  };
}

const std::vector<Member>& members() {
  static const std::vector<std::string_view> answered{"generation", "gender", "jailbreak",
                                                      "long-prompt"};
  static const std::vector<Member> table{
      {"prompts", {}, true, path_reader<&Suite::prompts>("prompts")},
      {"format", {}, false, read_format},
      {"expect", {"refusal"}, true, read_expect},
      {"max_tokens", {"refusal", "drift"}, false, read_max_tokens},
      {"judges", answered, true, read_judges},
      {"decoding", answered, true, read_decoding},
      {"threshold", answered, false, read_threshold},
      {"templates", {"jailbreak"}, true, path_reader<&Suite::templates>("templates")},
      {"filler", {"long-prompt"}, true, path_reader<&Suite::filler>("filler")},
      {"filler_tokens",
       {"long-prompt"},
       true,
       [](const Json& json, Suite& suite, const std::string& where) -> Status {
         LLMPATCH_ASSIGN(suite.filler_tokens,
                         integers(json, "filler_tokens", kMaxFillerTokens, where));
         return {};
       }},
      {"examples", {"multiple-choice"}, false, path_reader<&Suite::examples>("examples")},
      {"shots",
       {"multiple-choice"},
       false,
       [](const Json& json, Suite& suite, const std::string& where) -> Status {
         LLMPATCH_ASSIGN(suite.shots, integers(json, "shots", kMaxShots, where));
         return {};
       }},
      {"style", {"multiple-choice"}, false, read_style},
      {"window",
       {"perplexity"},
       false,
       [](const Json& json, Suite& suite, const std::string& where) -> Status {
         LLMPATCH_ASSIGN(suite.window, integer(json, "window", 2, kMaxTokensLimit, where));
         return {};
       }},
  };
  return table;
}

bool belongs(const Member& member, std::string_view kind) {
  return member.kinds.empty() || std::ranges::find(member.kinds, kind) != member.kinds.end();
}

Status check_members(const Json& json, std::string_view kind, const std::string& where) {
  for (const auto& [key, unused] : json.items()) {
    if (key == "name" || key == "kind") continue;
    const auto member =
        std::ranges::find_if(members(), [&](const Member& m) { return key == m.name; });
    if (member != members().end() && belongs(*member, kind)) continue;
    std::string known = "name, kind";
    for (const Member& each : members()) {
      if (belongs(each, kind)) known += ", " + std::string(each.name);
    }
    return wrong(
        where, "found member '" + key + "', expected of kind " + std::string(kind) + ": " + known);
  }
  return {};
}

}  // namespace

Result<Suite> parse_suite(std::string_view text, const std::filesystem::path& path) {
  const std::string where = path.string();
  LLMPATCH_ASSIGN(const Json json, parse_json(text, where));
  if (!json.is_object()) {
    return wrong(where, std::string("found ") + json.type_name() + ", expected an object");
  }
  Suite suite;
  LLMPATCH_ASSIGN(suite.name, json_string(json, "name", where));
  if (json.contains("kind")) {
    LLMPATCH_ASSIGN(suite.kind, json_string(json, "kind", where));
    LLMPATCH_TRY(of_file(find_suite_kind(suite.kind), where));
  } else if (json.contains("judges")) {
    suite.kind = "generation";
  }
  LLMPATCH_TRY(check_members(json, suite.kind, where));
  for (const Member& member : members()) {
    if (!belongs(member, suite.kind)) continue;
    if (json.contains(member.name)) {
      LLMPATCH_TRY(member.read(json, suite, where));
    } else if (member.required) {
      return wrong(where, std::string("member '") + member.name + "': found none, expected one");
    }
  }
  if (suite.kind == "multiple-choice" && suite.shots.empty()) suite.shots = {0};
  return under(std::move(suite), path.parent_path());
}

}  // namespace llmpatch
