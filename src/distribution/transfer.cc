#include "distribution/transfer.h"

#include "distribution/oci_manifest.h"
#include "patch/patch.h"

namespace llmpatch {
namespace {

// The tag under which registries without an API for them keep a subject's referrers.
std::string referrers_tag(const std::string& digest) { return "sha256-" + digest.substr(7); }

bool is_referrers_tag(const std::string& tag) {
  return tag.size() == 7 + 64 && tag.starts_with("sha256-") &&
         is_oci_digest("sha256:" + tag.substr(7));
}

// Whether the registry answers for referrers itself shows in its answer to a manifest with a
// subject; where it does not, the index at the tag is read, added to and put back.
Status push_referrer(const std::string& bundle, const std::string& subject,
                     std::uint64_t subject_size, Registry& registry) {
  const std::string manifest = make_signature_manifest(bundle, subject, subject_size);
  LLMPATCH_ASSIGN(const bool kept,
                  registry.put_manifest(oci_digest(manifest), manifest, kOciManifestType));
  if (kept) return {};
  const std::string tag = referrers_tag(subject);
  LLMPATCH_ASSIGN(const auto known, registry.find_manifest(tag));
  LLMPATCH_ASSIGN(const std::string index, add_referrer(known ? known->bytes : "", manifest, tag));
  LLMPATCH_ASSIGN([[maybe_unused]] const bool put,
                  registry.put_manifest(tag, index, kOciIndexType));
  return {};
}

}  // namespace

Result<Pushed> push_patch(const PatchFiles& files, const OciReference& reference,
                          Registry& registry, Overwrite overwrite, const ProgressFn& progress) {
  const auto bad = [&](const char* found) {
    return make_error(
        ErrorKind::kInvalidArgument, "push",
        reference.to_string() + ": found " + found + ", expected host/repository:tag");
  };
  if (!reference.digest.empty()) return bad("a digest");
  if (reference.tag.empty()) return bad("no tag");
  if (is_referrers_tag(reference.tag)) return bad("a tag that is kept for referrers");
  LLMPATCH_ASSIGN(const Patch patch, patch_from_files(files, reference.to_string()));

  const std::string manifest = make_oci_manifest(files, patch.manifest);
  Pushed pushed{reference};
  pushed.reference.digest = oci_digest(manifest);
  const auto signature = files.find(kSignatureFile);
  pushed.is_signed = signature != files.end();

  LLMPATCH_ASSIGN(const auto there, registry.find_manifest(reference.tag));
  pushed.changed = !there || there->digest != pushed.reference.digest;
  if (there && pushed.changed && overwrite == Overwrite::kNo) {
    return make_error(ErrorKind::kExists, "push",
                      reference.to_string() + ": found another patch there (" + there->digest + ")",
                      "a release gets a tag of its own; --force moves the tag");
  }
  if (pushed.changed) {
    std::uint64_t sent = 0;
    for (const auto& [file, bytes] : files) {
      LLMPATCH_TRY(registry.put_blob(oci_digest(bytes), bytes));
      if (progress) progress(++sent, files.size(), file);
    }
    LLMPATCH_TRY(registry.put_blob(oci_digest(kEmptyConfig), kEmptyConfig));
    LLMPATCH_ASSIGN([[maybe_unused]] const bool put,
                    registry.put_manifest(reference.tag, manifest, kOciManifestType));
  }
  if (pushed.is_signed) {
    LLMPATCH_TRY(
        push_referrer(signature->second, pushed.reference.digest, manifest.size(), registry));
  }
  return pushed;
}

Result<Pulled> pull_patch(const OciReference& reference, Registry& registry,
                          const ProgressFn& progress) {
  const std::string name = reference.to_string();
  if (reference.wanted().empty()) {
    return make_error(ErrorKind::kInvalidArgument, "pull",
                      name + ": found neither a tag nor a digest, expected one");
  }
  LLMPATCH_ASSIGN(const auto manifest, registry.find_manifest(reference.wanted()));
  if (!manifest) {
    return make_error(ErrorKind::kNotFound, "pull", name + ": the registry has no such patch",
                      "llmpatch tags lists what there is");
  }
  LLMPATCH_ASSIGN(const auto layers, parse_oci_manifest(manifest->bytes, name));
  Pulled pulled{{}, reference};
  pulled.reference.digest = manifest->digest;
  std::uint64_t total = 0, before = 0;
  for (const OciLayer& layer : layers) total += layer.size;
  for (const OciLayer& layer : layers) {
    const auto here = [&](std::uint64_t done, std::uint64_t, const std::string&) {
      if (progress) progress(before + done, total, layer.file);
    };
    LLMPATCH_ASSIGN(pulled.files[layer.file], registry.get_blob(layer.digest, layer.size, here));
    before += layer.size;
  }
  return pulled;
}

Result<std::vector<std::string>> patch_tags(Registry& registry) {
  LLMPATCH_ASSIGN(auto tags, registry.tags());
  std::erase_if(tags, is_referrers_tag);
  return tags;
}

}  // namespace llmpatch
