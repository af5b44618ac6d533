#include "patch/files.h"

#include <array>

#include "base/quote.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

// The files of a patch and the most bytes each may have.
struct FileLimit {
  std::string_view name;
  std::uint64_t bytes;
};
constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kMiB = 1024 * kKiB;
constexpr std::array<FileLimit, 6> kFileLimits{{{kRowsFile, 64 * kMiB},
                                                {kAdapterConfigFile, 64 * kKiB},
                                                {kManifestFile, 1 * kMiB},
                                                {kCardFile, 16 * kMiB},
                                                {kReadmeFile, 1 * kMiB},
                                                {kSignatureFile, 1 * kMiB}}};

const FileLimit* find_limit(std::string_view name) {
  for (const auto& limit : kFileLimits) {
    if (limit.name == name) return &limit;
  }
  return nullptr;
}

Error corrupt(std::string_view where, const std::string& message) {
  return make_error(ErrorKind::kCorrupt, "patch", std::string(where) + ": " + message);
}

// "dir/" names "dir": with the slash, a link would be seen as the directory behind it.
fs::path without_slash(const fs::path& path) {
  const fs::path clean = path.lexically_normal();
  return clean.has_filename() ? clean : clean.parent_path();
}

}  // namespace

Status check_patch_file(std::string_view name, std::uint64_t size, std::string_view where) {
  const FileLimit* limit = find_limit(name);
  if (limit == nullptr) {
    return corrupt(where, "found " + quote(name) + ", which is not a file of a patch");
  }
  if (size > limit->bytes) {
    return make_error(ErrorKind::kLimit, "patch",
                      std::string(where) + ": " + std::string(name) + ": found " +
                          std::to_string(size) + " bytes, expected at most " +
                          std::to_string(limit->bytes));
  }
  return {};
}

Result<PatchFiles> read_patch_directory(const fs::path& directory) {
  const std::string where = directory.string();
  std::error_code code;
  const fs::file_status status = fs::status(directory, code);
  if (!fs::exists(status)) {
    return make_error(ErrorKind::kNotFound, "patch", "patch: found no directory or file " + where);
  }
  if (!fs::is_directory(status)) {
    return make_error(
        ErrorKind::kInvalidArgument, "patch",
        "patch " + where + ": found a device or pipe, expected a directory or .llmpatch file");
  }
  PatchFiles files;
  fs::directory_iterator entries(directory, code);
  for (; !code && entries != fs::directory_iterator(); entries.increment(code)) {
    const std::string name = entries->path().filename().string();
    LLMPATCH_TRY(check_patch_file(name, 0, where));
    std::error_code ignored;  // a file that has gone meanwhile is no regular file
    if (!fs::is_regular_file(entries->symlink_status(ignored))) {
      return corrupt(where, name + ": found a link, folder or device, expected a regular file");
    }
    LLMPATCH_ASSIGN(files[name],
                    read_file(entries->path(), find_limit(name)->bytes, "file of a patch"));
  }
  if (code) {
    return make_error(ErrorKind::kIo, "patch", "read " + where + ": " + code.message());
  }
  return files;
}

Status check_patch_output(const fs::path& directory, Overwrite overwrite) {
  const fs::path target = without_slash(directory);
  std::error_code code;
  const fs::file_status status = fs::symlink_status(target, code);
  if (!fs::exists(status)) return {};
  if (overwrite == Overwrite::kNo) {
    return make_error(ErrorKind::kExists, "patch",
                      "write " + target.string() + ": it exists already",
                      "choose another name or say --force");
  }
  bool only_patch_files = fs::is_directory(status);
  fs::directory_iterator entries;
  if (only_patch_files) entries = fs::directory_iterator(target, code);
  for (; !code && entries != fs::directory_iterator(); entries.increment(code)) {
    only_patch_files = only_patch_files &&
                       find_limit(entries->path().filename().string()) != nullptr &&
                       !entries->is_directory();
  }
  if (only_patch_files && !code) return {};
  return make_error(ErrorKind::kDenied, "patch",
                    "replace " + target.string() + ": found something that is not a patch",
                    "choose another name, or remove it yourself");
}

Status write_patch_directory(const PatchFiles& files, const fs::path& directory,
                             Overwrite overwrite) {
  LLMPATCH_TRY(check_patch_output(directory, overwrite));
  LLMPATCH_ASSIGN(StagedDirectory staged, StagedDirectory::create(directory, overwrite));
  for (const auto& [name, bytes] : files) {
    LLMPATCH_TRY(check_patch_file(name, bytes.size(), directory.string()));
    LLMPATCH_TRY(write_file_atomic(staged.path() / name, bytes, Overwrite::kNo));
  }
  return staged.commit();
}

}  // namespace llmpatch
