// Files kept under their SHA-256: written once, checked whenever they are read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>

#include "base/result.h"

namespace llmpatch {

// A folder of such files. Callers hold the store's lock: exclusively for put() and collect(),
// shared for get().
class Blobs {
 public:
  explicit Blobs(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // Keeps `bytes` and returns their digest; they are on the disk when it returns. A file that is
  // there already is read again, and replaced where it is not what its name says. kIo.
  Result<std::string> put(std::string_view bytes) const;
  // The bytes with that digest, `size` of them. kCorrupt when the file is missing or is not what
  // its name says; kIo.
  Result<std::string> get(const std::string& digest, std::uint64_t size) const;
  // Removes every file that `keep` does not name, parts left by a process that died included. What
  // cannot be removed stays for the next time.
  void collect(const std::set<std::string>& keep) const;

 private:
  std::filesystem::path folder_;
};

}  // namespace llmpatch
