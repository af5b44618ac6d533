// name-version.llmpatch: a patch directory as one tar (POSIX ustar), with nothing in it that could
// differ between two runs.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/file.h"
#include "base/result.h"
#include "patch/files.h"

namespace llmpatch {

// The bytes of the archive: entries sorted by name, mode 0644, owner and times zero. The same files
// give the same bytes.
Result<std::string> pack_files(const PatchFiles& files);

// Reads such an archive from memory. Hostile until checked: plain regular files with the names of
// files.h and within its limits, none twice, nothing but zeros behind the last; the order is free.
// kCorrupt or kLimit otherwise. `where` names the archive in messages.
Result<PatchFiles> unpack_files(std::string_view archive, std::string_view where);

// Reads a .llmpatch file into memory: unpack_files of its bytes. kNotFound, kLimit, kIo besides.
Result<PatchFiles> read_patch_archive(const std::filesystem::path& path);

// Packs the patch in `directory` (loaded first, so that a damaged one is not packed; model.sig goes
// along) into `file`, and the reverse. Each leaves the whole output or none. kExists as in
// write_file_atomic and StagedDirectory.
Status pack_patch(const std::filesystem::path& directory, const std::filesystem::path& file,
                  Overwrite overwrite);
Status unpack_patch(const std::filesystem::path& file, const std::filesystem::path& directory,
                    Overwrite overwrite);

}  // namespace llmpatch
