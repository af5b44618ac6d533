// Where a channel's files come from: a server of static files, or a folder.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/progress.h"
#include "base/result.h"
#include "http/client.h"

namespace llmpatch {

// One address of a channel. What it gives is anybody's word: bounded, and nothing more. Not
// thread-safe.
class ChannelSource {
 public:
  // `place` is an http(s) address, or the path of a folder (which is not looked at yet).
  // kInvalidArgument: an address that is none.
  static Result<ChannelSource> open(const std::string& place, const HttpOptions& options);

  // The file of that name ("timestamp.json", "targets/…"), or nothing where there is none. kLimit:
  // more than `max_bytes`, or too slow; kIo for an answer that says something else; errors of
  // HttpClient::send and read_file.
  Result<std::optional<std::string>> find(const std::string& name, std::uint64_t max_bytes,
                                          const ProgressFn& progress = {});
  // kNotFound where there is none.
  Result<std::string> get(const std::string& name, std::uint64_t max_bytes,
                          const ProgressFn& progress = {});

  const std::string& place() const { return place_; }

 private:
  explicit ChannelSource(std::string place) : place_(std::move(place)) {}
  std::string place_;
  std::optional<HttpClient> client_;  // none for a folder
};

// Whether `place` is an address; otherwise it is a path.
bool is_channel_url(const std::string& place);

}  // namespace llmpatch
