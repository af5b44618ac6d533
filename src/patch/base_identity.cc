#include "patch/base_identity.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <tuple>

#include "patch/quote.h"

namespace llmpatch {
namespace {

constexpr std::size_t kMaxName = 256;
constexpr std::size_t kMaxWord = 64;

// Largest mean (a - e)^2 that still counts as the same quantisation, as a share of mean (e - r)^2.
constexpr double kResidualShare = 0.25;
// A type that loses more than this share of the weights' mean square is too coarse to judge by.
constexpr double kCoarse = 0.06;

Error bad(std::string_view where, const std::string& field, const std::string& found,
          const std::string& expected) {
  return make_error(
      ErrorKind::kCorrupt, "base",
      std::string(where) + ": " + field + ": found " + found + ", expected " + expected);
}

bool is_word(std::string_view text) {
  return !text.empty() && text.size() <= kMaxWord &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  std::string_view("._-").find(c) != std::string_view::npos;
         });
}

bool is_digest(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_printable_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

// Every member of `object` is one of `known`.
Status only_members(const Json& object, std::initializer_list<std::string_view> known,
                    std::string_view where) {
  for (const auto& [key, value] : object.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      return bad(where, "member", quote(key), "only members of this format");
    }
  }
  return {};
}

Result<std::string> digest(const Json& object, const char* key, std::string_view where) {
  LLMPATCH_ASSIGN(std::string text, json_string(object, key, where));
  if (!is_digest(text)) return bad(where, key, quote(text), "64 lower-case hexadecimal digits");
  return text;
}

std::string to_hex(const std::vector<std::uint16_t>& values) {
  constexpr const char* kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(values.size() * 4);
  for (const std::uint16_t value : values) {
    for (int shift = 12; shift >= 0; shift -= 4) text.push_back(kDigits[(value >> shift) & 15]);
  }
  return text;
}

Result<std::vector<std::uint16_t>> from_hex(std::string_view text, std::string_view where) {
  constexpr std::size_t kMaxDigits = kSampleStretches * kStretchValues * 4;
  if (text.size() > kMaxDigits || text.size() % 4 != 0) {
    return bad(where, "sample values", std::to_string(text.size()) + " digits",
               "4 for each of at most " + std::to_string(kMaxDigits / 4) + " values");
  }
  std::vector<std::uint16_t> values;
  values.reserve(text.size() / 4);
  for (std::size_t i = 0; i < text.size(); i += 4) {
    unsigned value = 0;
    for (const char c : text.substr(i, 4)) {
      const bool letter = c >= 'a' && c <= 'f';
      if (!letter && (c < '0' || c > '9')) {
        return bad(where, "sample values", quote(text.substr(i, 4)), "lower-case hexadecimal");
      }
      value = value * 16 + static_cast<unsigned>(letter ? c - 'a' + 10 : c - '0');
    }
    if ((value & 0x7c00) == 0x7c00) {  // all exponent bits set
      return bad(where, "sample values", "an infinity or NaN", "finite values");
    }
    values.push_back(static_cast<std::uint16_t>(value));
  }
  return values;
}

Result<IdentitySample> parse_sample(const Json& object, std::string_view where) {
  LLMPATCH_TRY(only_members(object, {"rule", "types", "values"}, where));
  LLMPATCH_ASSIGN(const std::int64_t rule, json_integer(object, "rule", where));
  if (rule != kSampleRule) {
    return make_error(ErrorKind::kUnsupported, "base",
                      std::string(where) + ": sample rule: found " + std::to_string(rule) +
                          ", expected " + std::to_string(kSampleRule),
                      "a newer llmpatch may know it");
  }
  IdentitySample sample;
  LLMPATCH_ASSIGN(const Json types, json_array(object, "types", where));
  if (types.size() > kSampleStretches) {
    return bad(where, "sample types", std::to_string(types.size()),
               "at most " + std::to_string(kSampleStretches));
  }
  for (const Json& type : types) {
    if (!type.is_string() || !is_word(type.get_ref<const std::string&>())) {
      return bad(where, "sample types", quote(json_line(type)), "names of ggml types");
    }
    sample.types.push_back(type.get<std::string>());
  }
  LLMPATCH_ASSIGN(const std::string values, json_string(object, "values", where));
  LLMPATCH_ASSIGN(sample.values, from_hex(values, where));
  if (sample.values.size() > sample.types.size() * kStretchValues ||
      sample.values.size() < sample.types.size()) {
    return bad(where, "sample values", std::to_string(sample.values.size()),
               "1 to 256 for each of " + std::to_string(sample.types.size()) + " types");
  }
  return sample;
}

std::string percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g %%", share * 100);
  return text;
}

// Stretches of the same kind of tensor and the same two types, seen together.
struct Group {
  double power = 0, expected = 0, residual = 0, storage = 0;
  bool comparable = true;
};

using GroupKey = std::tuple<std::string, std::string, std::string>;

std::string describe(const GroupKey& key) {
  const auto& [kind, recorded, candidate] = key;
  return quote(kind) + " (recorded as " + recorded + ", here " + candidate + ")";
}

}  // namespace

Json base_identity_to_json(const BaseIdentity& identity) {
  return Json{{"name", identity.name},
              {"architecture", identity.architecture},
              {"file", identity.file},
              {"shapes", identity.shapes},
              {"tokenizer", identity.tokenizer},
              {"vectors", identity.vectors},
              {"sample",
               {{"rule", kSampleRule},
                {"types", identity.sample.types},
                {"values", to_hex(identity.sample.values)}}}};
}

Result<BaseIdentity> base_identity_from_json(const Json& json, std::string_view where) {
  BaseIdentity identity;
  LLMPATCH_ASSIGN(identity.name, json_string(json, "name", where));
  LLMPATCH_TRY(only_members(
      json, {"name", "architecture", "file", "shapes", "tokenizer", "vectors", "sample"}, where));
  if (identity.name.size() > kMaxName || !is_printable_ascii(identity.name)) {
    return bad(where, "name", quote(identity.name), "at most 256 printable ASCII characters");
  }
  LLMPATCH_ASSIGN(identity.architecture, json_string(json, "architecture", where));
  if (!is_word(identity.architecture)) {
    return bad(where, "architecture", quote(identity.architecture), "a name such as \"llama\"");
  }
  LLMPATCH_ASSIGN(identity.file, digest(json, "file", where));
  LLMPATCH_ASSIGN(identity.shapes, digest(json, "shapes", where));
  LLMPATCH_ASSIGN(identity.tokenizer, digest(json, "tokenizer", where));
  LLMPATCH_ASSIGN(identity.vectors, digest(json, "vectors", where));
  LLMPATCH_ASSIGN(const Json sample, json_object(json, "sample", where));
  LLMPATCH_ASSIGN(identity.sample, parse_sample(sample, where));
  return identity;
}

std::string_view verdict_name(IdentityVerdict verdict) {
  switch (verdict) {
    case IdentityVerdict::kExact:
      return "exact";
    case IdentityVerdict::kSameFamily:
      return "same family";
    case IdentityVerdict::kUnconfirmed:
      return "unconfirmed";
    case IdentityVerdict::kDifferent:
      break;
  }
  return "different";
}

std::optional<IdentityMatch> match_digests(const BaseIdentity& recorded,
                                           const BaseIdentity& candidate) {
  const auto different = [&](const std::string& what) {
    return IdentityMatch{IdentityVerdict::kDifferent, what + "; the patch was made for " +
                                                          quote(recorded.name) + ", this is " +
                                                          quote(candidate.name)};
  };
  if (recorded.file == candidate.file) {
    return IdentityMatch{IdentityVerdict::kExact, "the very file the patch was made for"};
  }
  if (recorded.architecture != candidate.architecture) {
    return different("another architecture (" + candidate.architecture + ", expected " +
                     recorded.architecture + ")");
  }
  if (recorded.shapes != candidate.shapes) return different("tensors of other names or shapes");
  if (recorded.tokenizer != candidate.tokenizer) return different("another tokenizer");
  if (recorded.vectors != candidate.vectors) return different("other norms or biases");
  return std::nullopt;
}

IdentityMatch match_weights(const std::vector<StretchEvidence>& evidence) {
  if (evidence.empty()) {
    return {IdentityVerdict::kUnconfirmed, "the model has no weight matrices to compare"};
  }
  std::map<GroupKey, Group> groups;
  for (const StretchEvidence& stretch : evidence) {
    const GroupKey key{stretch.kind, stretch.recorded_type, stretch.candidate_type};
    if (!(stretch.worst <= 1)) {  // also NaN
      return {IdentityVerdict::kDifferent,
              "weights of " + describe(key) + " differ by more than rounding can explain"};
    }
    Group& group = groups[key];
    group.power += stretch.power;
    group.expected += stretch.expected;
    group.residual += stretch.residual;
    group.storage += stretch.storage;
    group.comparable = group.comparable && stretch.comparable;
  }
  // A finding against the model outweighs a type that shows nothing.
  for (const auto& [key, group] : groups) {
    if (!group.comparable) continue;
    if (!(group.residual <= kResidualShare * group.expected + group.storage)) {
      return {IdentityVerdict::kUnconfirmed,
              "weights of " + describe(key) +
                  " lie within rounding of the recorded ones but are not their requantisation: "
                  "another quantisation of a common original, or a changed model"};
    }
  }
  for (const auto& [key, group] : groups) {
    if (group.comparable && !(group.expected > kCoarse * group.power)) continue;
    return {IdentityVerdict::kUnconfirmed,
            "weights of " + describe(key) + " are of a type too coarse to tell" +
                (group.comparable ? ": it loses " + percent(group.expected / group.power) +
                                        " of the weights' mean square"
                                  : "")};
  }
  return {IdentityVerdict::kSameFamily, "the same weights in another quantisation"};
}

}  // namespace llmpatch
