// Base identity: does a patch belong to this model file? Defines what is recorded about the model a
// patch was learned on, how it stands in manifest.json, and how the verdict is reached. Computing
// it from a model file is gguf/identity.h. The rule is written down in docs/format.md.
//
// Non-goal: proof against a forger. Whoever changes a model may leave the sampled weights alone;
// only `exact` (the file's sha256) withstands that.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "llmpatch/identity.h"

namespace llmpatch {

// Version of the rule that chooses the sampled weights; stored with them.
inline constexpr std::int64_t kSampleRule = 1;
// The most stretches of weights a sample has, and the most weights in each.
inline constexpr std::size_t kSampleStretches = 32;
inline constexpr std::size_t kStretchWeights = 256;

// Neighbouring weights exactly as the model file holds them: whole blocks of a ggml type. Kept in
// their own type, not as numbers of lower precision: quantisers search for the best scale, and a
// rounded input can make them find another one. Where a stretch stands in the model follows from
// tensor names and shapes by the fixed rule.
struct SampleStretch {
  std::string type;   // ggml's name of it, such as "q4_1"
  std::string bytes;  // at most 4 a weight

  bool operator==(const SampleStretch&) const = default;
};

// What is recorded about a model. All digests are 64 lower-case hexadecimal digits (SHA-256).
struct BaseIdentity {
  std::string name;          // general.name, for people; takes no part in the comparison
  std::string architecture;  // general.architecture
  std::string file;          // of the whole file
  std::string shapes;        // of every tensor's name and dimensions
  std::string tokenizer;     // of what turns text into token ids
  std::string vectors;       // of every one-dimensional F32 tensor: norms and biases
  std::vector<SampleStretch> sample;

  bool operator==(const BaseIdentity&) const = default;
};

// The object under `base` in manifest.json. The same identity gives the same JSON.
Json base_identity_to_json(const BaseIdentity& identity);

// Parses and checks such an object. kCorrupt: a member missing, unknown, of another type or against
// its form; kUnsupported: another sample rule. `where` names the source in messages.
Result<BaseIdentity> base_identity_from_json(const Json& json, std::string_view where);

// How the weights of one stretch compare with the recorded ones. r are the recorded weights, a the
// candidate's, e what r becomes when it is quantised to the candidate's type. Means are over the
// stretch.
struct StretchEvidence {
  std::string kind;           // the tensor's name without its layer, such as "attn_q.weight"
  std::string recorded_type;  // ggml type names
  std::string candidate_type;
  double power = 0;         // mean r^2
  double worst = 0;         // largest |a - r| as a share of its bound (both blocks' steps)
  bool comparable = false;  // e is known: the type can be quantised to without extra data
  bool searched = false;    // e comes from a search that may end elsewhere on another machine
  double expected = 0;      // mean (e - r)^2; 0 when both types are equal
  double residual = 0;      // mean (a - e)^2
};

// The verdict as far as file, architecture, shapes, tokenizer and vectors decide it: kExact or
// kDifferent; nullopt when all but the file agree, so that the weights must be compared.
std::optional<IdentityMatch> match_digests(const BaseIdentity& recorded,
                                           const BaseIdentity& candidate);

// The verdict on the weights of models whose digests agree: kSameFamily, kUnconfirmed or
// kDifferent. No evidence at all is kUnconfirmed.
IdentityMatch match_weights(const std::vector<StretchEvidence>& evidence);

}  // namespace llmpatch
