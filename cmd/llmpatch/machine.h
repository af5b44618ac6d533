// What the machine offers, as Linux tells it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace llmpatch {

struct Processor {
  std::string name;
  int cores = 0;                   // that this process may use
  std::vector<std::string> flags;  // as in /proc/cpuinfo: "avx2", "amx_tile"

  bool has(std::string_view flag) const;
};
Processor machine_processor();

}  // namespace llmpatch
