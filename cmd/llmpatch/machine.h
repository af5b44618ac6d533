// What the machine offers, as Linux tells it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace llmpatch {

struct Memory {
  std::uint64_t total = 0;      // bytes; 0 when unknown
  std::uint64_t available = 0;  // bytes that can be taken without swapping
};
// Of the machine, or of the control group this process lives in when that has less.
Memory machine_memory();

// Bytes this process has in memory now; 0 when unknown.
std::uint64_t resident_bytes();

struct Processor {
  std::string name;
  int cores = 0;                   // that this process may use
  std::vector<std::string> flags;  // as in /proc/cpuinfo: "avx2", "amx_tile"

  bool has(std::string_view flag) const;
};
Processor machine_processor();

}  // namespace llmpatch
