// A patch: rows, manifest and card, and the directory or .llmpatch file they live in.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/file.h"
#include "base/json.h"
#include "base/result.h"
#include "patch/adapter_config.h"
#include "patch/files.h"
#include "patch/manifest.h"
#include "patch/rows.h"

namespace llmpatch {

struct Patch {
  Rows rows;
  Manifest manifest;
  AdapterConfig adapter;
  std::optional<Json> card;      // eval.json
  bool is_signed = false;        // model.sig lies beside it; says nothing about its validity
  std::filesystem::path source;  // where it was loaded from; empty for one made in memory
};

// Reads the files of a patch directory or a .llmpatch file into memory, each once. Errors of
// read_patch_directory and read_patch_archive.
Result<PatchFiles> read_patch_files(const std::filesystem::path& path);

// Loads a patch directory or a .llmpatch file without looking at its signature (trust/load.h does).
// Only what the manifest lists is loaded, and from the very bytes whose sha256 was compared: each
// file is read once. Nothing is written to disk. kNotFound; kCorrupt (a file missing, unlisted, of
// another digest, a link, folder or device, or not what its format says); kLimit (a file too
// large); kUnsupported; kMismatch (rows against adapter_config.json).
Result<Patch> load_patch(const std::filesystem::path& path);

// The same from bytes already in memory. `source` is for messages and Patch::source.
Result<Patch> patch_from_files(const PatchFiles& files, const std::filesystem::path& source);

// The files of `patch` as they are written to disk: README.md and the manifest's `files` are made
// anew, model.sig is never among them. The same patch gives the same bytes. kInvalidArgument for a
// manifest or rows outside their limits.
Result<PatchFiles> patch_to_files(const Patch& patch);

// Writes a patch directory, whole or not at all. kExists when `directory` exists and overwrite is
// kNo; kDenied when it exists and is not a patch directory (kYes never replaces anything else).
Status write_patch(const Patch& patch, const std::filesystem::path& directory, Overwrite overwrite);

// Puts `card` as eval.json into the patch directory and renews README.md and the manifest's
// `files`. kDenied when the patch is signed (the signature would no longer hold), kInvalidArgument
// for a .llmpatch file or a card that is not an object.
Status put_card(const std::filesystem::path& directory, Json card);

// Puts `stacks` into the manifest's `compose.tested`, each in the place of an earlier measurement
// of the same. Errors as put_card; kInvalidArgument also where the list would be too long.
Status put_tested(const std::filesystem::path& directory, const std::vector<TestedStack>& stacks);

// Whether put_card and put_tested may change the patch at `directory`: their errors, before the
// work that makes what they put. `what` names it ("card").
Status check_changeable(const std::filesystem::path& directory, const std::string& what);

}  // namespace llmpatch
