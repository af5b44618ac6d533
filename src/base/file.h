// Files: bounded reads, writes that are whole or not there, and read-only mappings.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace llmpatch {

// Reads a whole regular file of at most `max_bytes`. `what` names its purpose for the message of a
// missing file ("prompts", "manifest"). kNotFound, kLimit (too large), kInvalidArgument (a
// directory or device), kIo.
Result<std::string> read_file(const std::filesystem::path& path, std::uint64_t max_bytes,
                              std::string_view what);

enum class Overwrite { kNo, kYes };

// Writes `bytes` to a temporary file beside `path`, syncs it and renames it into place: a reader
// sees the old file, the new file, or none, never a part. With kNo an existing `path` is kExists.
// kIo on a full disk etc.; the temporary is removed.
Status write_file_atomic(const std::filesystem::path& path, std::string_view bytes,
                         Overwrite overwrite = Overwrite::kYes);

// Writes a file that did not exist, whole or not at all, and never replaces one: not even one that
// appears meanwhile. `mode` is its permissions from its first byte on (0600 for a secret). kExists,
// kIo.
Status write_new_file(const std::filesystem::path& path, std::string_view bytes, unsigned mode);

// Syncs a directory: files made, renamed or removed in it stay so after a power cut. kIo.
Status sync_directory(const std::filesystem::path& directory);

// A directory that appears whole: fill path(), then commit() renames it to its target. Destroyed
// without commit, the temporary directory is removed. Move-only.
class StagedDirectory {
 public:
  // Makes "<target>.partial-<pid>" beside `target`. kExists if `target` exists and overwrite is
  // kNo.
  static Result<StagedDirectory> create(const std::filesystem::path& target, Overwrite overwrite);
  StagedDirectory(StagedDirectory&& other) noexcept;
  StagedDirectory& operator=(StagedDirectory&&) = delete;
  ~StagedDirectory();

  const std::filesystem::path& path() const { return staging_; }
  // Puts it in place, of an old target (kYes) in one step where the file system can do that.
  Status commit();

 private:
  StagedDirectory(std::filesystem::path target, std::filesystem::path staging)
      : target_(std::move(target)), staging_(std::move(staging)) {}
  std::filesystem::path target_, staging_;
};

// A read-only memory mapping of a whole regular file. Move-only; the bytes live as long as it does.
class MappedFile {
 public:
  static Result<MappedFile> open(const std::filesystem::path& path, std::string_view what);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  MappedFile(const std::byte* data, std::size_t size) : data_(data), size_(size) {}
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace llmpatch
