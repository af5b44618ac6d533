// How much memory there is for this process.
#pragma once

#include <cstdint>
#include <filesystem>

namespace llmpatch {

struct Memory {  // bytes; 0: not known
  std::uint64_t total = 0;
  std::uint64_t available =
      0;  // without swapping; caches of files, which can be given up, are in it
};

// The machine's memory (/proc/meminfo), or what the process's control groups leave of it: those of
// a container or of a systemd unit with MemoryMax=, version 1 or 2, each up to the root of what is
// mounted. `root` is where "proc" and "sys" are. Never fails: what cannot be read limits nothing.
// Thread-safe.
Memory usable_memory(const std::filesystem::path& root = "/");

// Bytes this process has in memory now; 0: not known. Thread-safe.
std::uint64_t resident_bytes();

}  // namespace llmpatch
