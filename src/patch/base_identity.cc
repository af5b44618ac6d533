#include "patch/base_identity.h"

#include <algorithm>
#include <map>

#include "base/hex.h"
#include "base/quote.h"
#include "base/sha256.h"

namespace llmpatch {
namespace {

constexpr std::size_t kMaxName = 256;
constexpr std::size_t kMaxWord = 64;

// Largest mean (a - e)^2 that still counts as the same quantisation, as a share of mean (e - r)^2.
constexpr double kResidualShare = 0.1;
// What float arithmetic on another machine may add to it, as a share of the weights' mean square.
constexpr double kNoise = 1e-8;
// One in so many stretches of a kind may disagree where the quantiser searches: two scales can be
// equally good but for the last bit, and machines differ in that.
constexpr std::size_t kSearchedPerMiss = 4;

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
  if (!is_sha256_hex(text)) return bad(where, key, quote(text), "64 lower-case hexadecimal digits");
  return text;
}

Result<std::string> from_hex(std::string_view text, std::string_view where) {
  constexpr std::size_t kMaxDigits = kStretchWeights * 4 * 2;
  if (text.empty() || text.size() > kMaxDigits || text.size() % 2 != 0) {
    return bad(where, "sample bytes", std::to_string(text.size()) + " digits",
               "2 for each of 1 to " + std::to_string(kMaxDigits / 2) + " bytes");
  }
  std::string bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const auto byte = hex_decode(text.substr(i, 2));
    if (!byte) {
      return bad(where, "sample bytes", quote(text.substr(i, 2)), "lower-case hexadecimal");
    }
    bytes += *byte;
  }
  return bytes;
}

Result<std::vector<SampleStretch>> parse_sample(const Json& object, std::string_view where) {
  LLMPATCH_TRY(only_members(object, {"rule", "stretches"}, where));
  LLMPATCH_ASSIGN(const std::int64_t rule, json_integer(object, "rule", where));
  if (rule != kSampleRule) {
    return make_error(ErrorKind::kUnsupported, "base",
                      std::string(where) + ": sample rule: found " + std::to_string(rule) +
                          ", expected " + std::to_string(kSampleRule),
                      "a newer llmpatch may know it");
  }
  LLMPATCH_ASSIGN(const Json stretches, json_array(object, "stretches", where));
  if (stretches.size() > kSampleStretches) {
    return bad(where, "sample", std::to_string(stretches.size()) + " stretches",
               "at most " + std::to_string(kSampleStretches));
  }
  std::vector<SampleStretch> sample;
  for (const Json& entry : stretches) {
    SampleStretch stretch;
    LLMPATCH_ASSIGN(stretch.type, json_string(entry, "type", where));
    LLMPATCH_TRY(only_members(entry, {"type", "bytes"}, where));
    if (!is_word(stretch.type)) {
      return bad(where, "sample type", quote(stretch.type), "the name of a ggml type");
    }
    LLMPATCH_ASSIGN(const std::string digits, json_string(entry, "bytes", where));
    LLMPATCH_ASSIGN(stretch.bytes, from_hex(digits, where));
    sample.push_back(std::move(stretch));
  }
  return sample;
}

// Whether the candidate's weights are what requantising the recorded ones gives.
bool agrees(const StretchEvidence& stretch) {
  return stretch.residual <= kResidualShare * stretch.expected + kNoise * stretch.power;
}

std::string describe(const StretchEvidence& stretch) {
  return "weights of " + quote(stretch.kind) + " (recorded as " + stretch.recorded_type +
         ", here " + stretch.candidate_type + ")";
}

IdentityMatch unconfirmed(const StretchEvidence& stretch, const std::string& why) {
  return {IdentityVerdict::kUnconfirmed, describe(stretch) + " " + why};
}

}  // namespace

Json base_identity_to_json(const BaseIdentity& identity) {
  Json stretches = Json::array();
  for (const SampleStretch& stretch : identity.sample) {
    stretches.push_back({{"type", stretch.type}, {"bytes", hex_encode(stretch.bytes)}});
  }
  return Json{{"name", identity.name},
              {"architecture", identity.architecture},
              {"file", identity.file},
              {"shapes", identity.shapes},
              {"tokenizer", identity.tokenizer},
              {"vectors", identity.vectors},
              {"sample", {{"rule", kSampleRule}, {"stretches", std::move(stretches)}}}};
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
  const auto different = [](const std::string& what) {
    return IdentityMatch{IdentityVerdict::kDifferent, what};
  };
  if (recorded.file == candidate.file) {
    return IdentityMatch{IdentityVerdict::kExact, "the very file the patch was made for"};
  }
  if (recorded.architecture != candidate.architecture) {
    return different("another architecture: found " + candidate.architecture + ", expected " +
                     recorded.architecture);
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
  struct Count {
    std::size_t stretches = 0, misses = 0;
  };
  std::map<std::string, Count> kinds;
  for (const StretchEvidence& stretch : evidence) {
    if (!(stretch.worst <= 1)) {  // also NaN
      return {IdentityVerdict::kDifferent,
              describe(stretch) + " differ by more than rounding can explain"};
    }
    ++kinds[stretch.kind].stretches;
  }
  // A finding against the model outweighs a type that shows nothing.
  for (const StretchEvidence& stretch : evidence) {
    if (!stretch.comparable || agrees(stretch)) continue;
    Count& kind = kinds[stretch.kind];
    if (stretch.searched && ++kind.misses <= kind.stretches / kSearchedPerMiss) continue;
    return unconfirmed(stretch,
                       "lie within rounding of the recorded ones but are not their "
                       "requantisation: another quantisation of a common original, or a changed "
                       "model");
  }
  for (const StretchEvidence& stretch : evidence) {
    if (!stretch.comparable) return unconfirmed(stretch, "are of a type too coarse to tell");
  }
  return {IdentityVerdict::kSameFamily, "the same weights in another quantisation"};
}

}  // namespace llmpatch
