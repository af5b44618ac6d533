// Where a channel's files come from: a server of static files, a registry, or a folder.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/progress.h"
#include "base/result.h"
#include "distribution/registry.h"

namespace llmpatch {

// One address of a channel. What it gives is anybody's word: bounded, and nothing more. Not
// thread-safe.
class ChannelSource {
 public:
  // `place` is an http(s) address, the repository of a registry (oci://host/repository), or the
  // path of a folder; nothing is asked yet. kInvalidArgument: an address that is none; errors of
  // Registry::open.
  static Result<std::unique_ptr<ChannelSource>> open(const std::string& place,
                                                     const RegistryOptions& options);
  virtual ~ChannelSource() = default;

  // The file of that name ("timestamp.json", "targets/…"), or nothing where there is none. kLimit:
  // more than `max_bytes`, or too slow; kIo for an answer that says something else; errors of
  // HttpClient::send, find_channel_file and read_file.
  virtual Result<std::optional<std::string>> find(const std::string& name, std::uint64_t max_bytes,
                                                  const ProgressFn& progress = {}) = 0;
  // kNotFound where there is none.
  Result<std::string> get(const std::string& name, std::uint64_t max_bytes,
                          const ProgressFn& progress = {});

  // As a store knows it: an address without a slash at its end, or the path as it was given.
  const std::string& place() const { return place_; }

 protected:
  explicit ChannelSource(std::string place) : place_(std::move(place)) {}

 private:
  std::string place_;
};

// Whether `place` is an address; otherwise it is a path.
bool is_channel_url(const std::string& place);

}  // namespace llmpatch
