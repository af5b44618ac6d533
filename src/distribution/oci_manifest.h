// A patch as an OCI artifact: one layer a file, and what says so (image-spec, manifest.md).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "patch/files.h"
#include "patch/manifest.h"

namespace llmpatch {

inline constexpr const char* kOciManifestType = "application/vnd.oci.image.manifest.v1+json";
inline constexpr const char* kOciIndexType = "application/vnd.oci.image.index.v1+json";
inline constexpr const char* kPatchArtifactType = "application/vnd.llmpatch.patch.v1";
inline constexpr const char* kChannelArtifactType = "application/vnd.llmpatch.channel.v1";
inline constexpr const char* kBundleType = "application/vnd.dev.sigstore.bundle.v0.3+json";
// The config of artifacts that have none: its two bytes, which are a blob like any other.
inline constexpr const char* kEmptyConfig = "{}";
inline constexpr std::uint64_t kMaxOciManifest = std::uint64_t{4} << 20;

// A blob of an artifact: a file of the patch.
struct OciLayer {
  std::string file, digest;
  std::uint64_t size = 0;
};

// The manifest of `files`, whose manifest.json says `manifest`. The same files give the same bytes.
std::string make_oci_manifest(const PatchFiles& files, const Manifest& manifest);

// What a registry answered: hostile until checked. kLimit: more than kMaxOciManifest bytes or a
// file larger than it may be; kMismatch: an artifact that is no patch; kCorrupt: anything else than
// layers with the names of files.h, none twice, each with a sha256 digest. `where` names it in
// messages. What a manifest says about other places to fetch from is not looked at.
Result<std::vector<OciLayer>> parse_oci_manifest(std::string_view bytes, std::string_view where);

// The manifest of an artifact that is one file, its layer. The same file gives the same bytes.
std::string make_file_manifest(const std::string& file, std::string_view bytes,
                               const char* artifact_type, const char* media_type);

// The layer of such a manifest, which is to hold `file`: hostile until checked, as above. How large
// it may be is for the caller to say.
Result<OciLayer> parse_file_manifest(std::string_view bytes, const std::string& file,
                                     const char* artifact_type, std::string_view where);

// The manifest of a signature bundle that refers to a patch's manifest ("subject"), for those who
// look for referrers; `pull` verifies the layer model.sig.
std::string make_signature_manifest(const std::string& bundle, const std::string& subject_digest,
                                    std::uint64_t subject_size);

// The index of a subject's referrers ("referrers tag schema"), with one more in it. `known` is the
// index that is there, or empty. kCorrupt when that is none.
Result<std::string> add_referrer(std::string_view known, const std::string& manifest,
                                 std::string_view where);

}  // namespace llmpatch
