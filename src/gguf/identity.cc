#include "gguf/identity.h"

#include <algorithm>

#include "base/sha256.h"
#include "gguf/digests.h"
#include "gguf/sample_places.h"
#include "gguf/weights.h"

namespace llmpatch {
namespace {

constexpr std::size_t kMaxName = 256;

// A name from a file as printable ASCII of bounded length.
std::string plain_name(std::string name) {
  name.resize(std::min(name.size(), kMaxName));
  for (char& c : name) {
    if (c < 0x20 || c >= 0x7f) c = '?';
  }
  return name;
}

}  // namespace

Result<BaseIdentity> compute_identity(const GgufFile& file) {
  BaseIdentity identity;
  LLMPATCH_ASSIGN(identity.architecture, file.architecture());
  const auto name = file.string("general.name");
  identity.name = plain_name(name.ok() ? *name : identity.architecture);
  identity.file = sha256_hex(file.bytes());
  identity.shapes = shapes_digest(file);
  identity.tokenizer = tokenizer_digest(file);
  identity.vectors = vectors_digest(file);
  for (const SamplePlace& place : sample_places(file)) {
    LLMPATCH_ASSIGN(SampleStretch stretch, read_stretch(place));
    identity.sample.push_back(std::move(stretch));
  }
  return identity;
}

Result<IdentityMatch> match_identity(const BaseIdentity& recorded, const GgufFile& candidate) {
  LLMPATCH_ASSIGN(const BaseIdentity identity, compute_identity(candidate));
  return match_identity(recorded, candidate, identity);
}

Result<IdentityMatch> match_identity(const BaseIdentity& recorded, const GgufFile& candidate,
                                     const BaseIdentity& identity) {
  if (auto decided = match_digests(recorded, identity)) return *decided;
  const std::vector<SamplePlace> places = sample_places(candidate);
  if (recorded.sample.size() != places.size()) {
    return make_error(ErrorKind::kCorrupt, "gguf",
                      "base identity: found a sample of " + std::to_string(recorded.sample.size()) +
                          " stretches, expected " + std::to_string(places.size()) +
                          " for a model of these shapes");
  }
  std::vector<StretchEvidence> evidence;
  for (std::size_t i = 0; i < places.size(); ++i) {
    LLMPATCH_ASSIGN(StretchEvidence stretch, compare_stretch(places[i], recorded.sample[i]));
    evidence.push_back(std::move(stretch));
  }
  return match_weights(evidence);
}

}  // namespace llmpatch
