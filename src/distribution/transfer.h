// Patches to a registry, and back.
#pragma once

#include <string>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "distribution/oci_reference.h"
#include "distribution/registry.h"
#include "patch/files.h"

namespace llmpatch {

struct Pushed {
  OciReference reference;  // with its digest
  bool changed = true;     // false: the tag had this very patch already
  bool is_signed = false;
};

// Uploads a patch as it is: a layer a file, model.sig among them, and for a signed one a manifest
// that refers to it (by the registry itself where it keeps referrers, else by the tag that the
// distribution-spec says). The tag is put last, so that it never names half a patch. The same files
// give the same digest.
//
// kInvalidArgument: a reference without a tag, or with a digest; kExists: the tag names something
// else, with overwrite kNo; errors of patch_from_files for what is no patch, and of Registry.
Result<Pushed> push_patch(const PatchFiles& files, const OciReference& reference,
                          Registry& registry, Overwrite overwrite, const ProgressFn& progress);

struct Pulled {
  PatchFiles files;
  OciReference reference;  // with the digest that was found
};

// Downloads the files of a patch into memory. Every byte is compared with the digests that the
// registry's manifest says, and that with the reference's where it has one; whether the patch is
// what somebody signed is for load_trusted_files to say.
//
// kInvalidArgument: neither tag nor digest; kNotFound; kUntrusted: bytes of another digest;
// kCorrupt, kMismatch, kLimit as parse_oci_manifest; errors of Registry.
Result<Pulled> pull_patch(const OciReference& reference, Registry& registry,
                          const ProgressFn& progress);

// The tags that name patches: all but those that are there for referrers' sake, in the registry's
// order.
Result<std::vector<std::string>> patch_tags(Registry& registry);

}  // namespace llmpatch
