// Writing a file that is too large to stand in memory, whole or not at all.
#pragma once

#include <filesystem>
#include <string_view>
#include <utility>

#include "base/file.h"
#include "base/result.h"

namespace llmpatch {

// A file that appears whole: append() its bytes, then commit(). What a reader sees meanwhile is the
// old file or none. Destroyed without commit, the temporary file is removed. Move-only.
class AtomicFile {
 public:
  // Makes "<path>.partial-<pid>". kExists when `path` exists and overwrite is kNo; kIo.
  static Result<AtomicFile> create(const std::filesystem::path& path,
                                   Overwrite overwrite = Overwrite::kYes);
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();

  Status append(std::string_view bytes);
  // Syncs it and puts it in place.
  Status commit();

 private:
  AtomicFile(std::filesystem::path path, std::filesystem::path temporary, int fd)
      : path_(std::move(path)), temporary_(std::move(temporary)), fd_(fd) {}
  std::filesystem::path path_, temporary_;
  int fd_ = -1;  // negative: committed or moved from
};

}  // namespace llmpatch
