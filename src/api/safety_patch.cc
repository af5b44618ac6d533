#include "api/safety_patch.h"

#include <string>
#include <utility>

#include "patch/archive.h"
#include "trust/load.h"
#include "trust/verify.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

// The hints of the rooms name options of the program.
template <class T>
Result<T> without_hint(Result<T> result) {
  if (result.ok()) return result;
  Error error = std::move(result).error();
  error.hint.clear();
  return error;
}

Result<Trust> trust_of(const LoadOptions& options) {
  LLMPATCH_ASSIGN(Trust trust, read_trust({options.keys, options.certificates, options.policy}));
  for (const std::string& text : options.key_texts) {
    LLMPATCH_ASSIGN(PublicKey key, PublicKey::parse(text, "key text"));
    trust.keys.push_back(std::move(key));
  }
  return trust;
}

// `read` gives the files, and is told whether their signature will be verified.
template <class Read>
Result<TrustedPatch> load_trusted(const LoadOptions& options, const fs::path& source,
                                  const Read& read) {
  LLMPATCH_ASSIGN(const Trust trust, trust_of(options));
  LLMPATCH_ASSIGN(PatchFiles files, read(!trust.empty()));
  return load_trusted_files(std::move(files), source, trust,
                            options.allow_unsigned ? AllowUnsigned::kYes : AllowUnsigned::kNo);
}

PatchInfo info_of(const TrustedPatch& loaded) {
  const Manifest& manifest = loaded.patch.manifest;
  PatchInfo info;
  info.name = manifest.name;
  info.version = manifest.version;
  info.sequence = manifest.sequence;
  info.risk = manifest.risk;
  info.summary = manifest.summary;
  info.license = manifest.license;
  info.expires = manifest.expires.value_or("");
  info.base_model = manifest.base.name;
  if (loaded.signer) info.signer = loaded.signer->to_string();
  info.digest = loaded.root_digest;
  info.warning = loaded.warning;
  return info;
}

}  // namespace

SafetyPatch::SafetyPatch(std::shared_ptr<const State> state) : state_(std::move(state)) {}

Result<SafetyPatch> SafetyPatch::load(const fs::path& path, const LoadOptions& options) {
  LLMPATCH_ASSIGN(TrustedPatch loaded, without_hint(load_trusted(options, path, [&](bool verifies) {
                    return verifies ? read_signed_files(path) : read_patch_files(path);
                  })));
  return SafetyPatch(
      std::make_shared<const State>(State{info_of(loaded), std::move(loaded.patch)}));
}

Result<SafetyPatch> SafetyPatch::from_bytes(std::string_view archive, const LoadOptions& options,
                                            std::string_view name) {
  LLMPATCH_ASSIGN(TrustedPatch loaded, without_hint(load_trusted(options, name, [&](bool verifies) {
                    return verifies ? unpack_signed_files(archive, name)
                                    : unpack_files(archive, name);
                  })));
  return SafetyPatch(
      std::make_shared<const State>(State{info_of(loaded), std::move(loaded.patch)}));
}

const PatchInfo& SafetyPatch::info() const { return state_->info; }

std::size_t SafetyPatch::rows() const { return state_->patch.rows.n; }

std::size_t SafetyPatch::width() const { return state_->patch.rows.d; }

std::span<const float> SafetyPatch::values() const { return state_->patch.rows.values; }

}  // namespace llmpatch
