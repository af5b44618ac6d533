// The output of a long generation: it grows in "<output>.partial" a chunk at a time, survives any
// kind of death, and appears under its own name only when it is whole.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/file.h"
#include "base/json.h"
#include "base/result.h"

namespace llmpatch {

// How the output is made up.
struct ResponsePlan {
  std::filesystem::path output;
  Json settings;          // everything the output depends on
  std::size_t lines = 0;  // of the whole output
  std::size_t chunk = 1;  // lines that are written at once; the last chunk may be shorter
  Overwrite overwrite = Overwrite::kNo;
};

// Move-only. Holds a lock on the partial file, so that two processes cannot write it.
//
// The partial file: one line {"llmpatch_partial": settings}, then the finished lines. What stands
// behind the last whole chunk is cut off when it is opened again.
class ResponseFile {
 public:
  // Begins, or goes on where an earlier run with equal settings stopped. kExists: a partial file of
  // other settings (overwrite kYes begins anew); kLimit: another process is writing it; kIo.
  static Result<ResponseFile> open(ResponsePlan plan);
  ResponseFile(ResponseFile&& other) noexcept;
  ResponseFile& operator=(ResponseFile&&) = delete;
  // Leaves the partial file for the next run; removes it when it holds no chunk.
  ~ResponseFile();

  std::size_t done() const { return done_; }  // finished lines
  // Adds the next chunk: `count` lines, each with its line end. On an error (kIo) the partial file
  // is as before.
  Status append(std::string_view lines, std::size_t count);
  // Moves the finished output into place. kExists when it has appeared meanwhile, kIo.
  Status finish();

 private:
  ResponseFile(ResponsePlan plan, std::filesystem::path partial, int fd)
      : plan_(std::move(plan)), partial_(std::move(partial)), fd_(fd) {}
  Status recover();

  ResponsePlan plan_;
  std::filesystem::path partial_;
  int fd_ = -1;
  std::uint64_t header_bytes_ = 0, bytes_ = 0;  // of the partial file
  std::size_t done_ = 0;
};

}  // namespace llmpatch
