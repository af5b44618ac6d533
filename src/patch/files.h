// The files a patch consists of: a closed list of names, each with a size limit, all in one flat
// directory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "base/file.h"
#include "base/result.h"

namespace llmpatch {

// File name -> bytes. Both the directory and the .llmpatch file are read into one and written from
// one.
using PatchFiles = std::map<std::string, std::string>;

inline constexpr const char* kRowsFile = "adapter_model.safetensors";
inline constexpr const char* kAdapterConfigFile = "adapter_config.json";
inline constexpr const char* kManifestFile = "manifest.json";
inline constexpr const char* kCardFile = "eval.json";
inline constexpr const char* kReadmeFile = "README.md";
inline constexpr const char* kSignatureFile = "model.sig";

// Checks one file before it is read: kCorrupt when `name` is none of the above, kLimit when it is
// larger than such a file may be. `where` names the directory or archive in messages.
Status check_patch_file(std::string_view name, std::uint64_t size, std::string_view where);

// Reads a whole patch directory, each file once. kNotFound, kInvalidArgument (not a directory),
// kCorrupt (any other name than the above; a symbolic link, folder or device), kLimit, kIo.
Result<PatchFiles> read_patch_directory(const std::filesystem::path& directory);

// Whether write_patch_directory may write there, for looking before a long job: kExists when
// `directory` exists and overwrite is kNo; kDenied when it exists and is anything but a patch or an
// empty directory. kYes replaces a patch, never somebody's folder.
Status check_patch_output(const std::filesystem::path& directory, Overwrite overwrite);

// Writes `files` as a directory, whole or not at all. Errors of check_patch_output, kCorrupt or
// kLimit for a file that check_patch_file refuses, kIo.
Status write_patch_directory(const PatchFiles& files, const std::filesystem::path& directory,
                             Overwrite overwrite);

}  // namespace llmpatch
