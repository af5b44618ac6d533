#include "machine.h"

#include <algorithm>
#include <fstream>
#include <sstream>

#include "base/cores.h"

namespace llmpatch {
namespace {

// The text after "key:" in a file of "key: value" lines; empty when there is none.
std::string field(const char* path, std::string_view key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(key)) continue;
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::size_t start = line.find_first_not_of(" \t", colon + 1);
    return start == std::string::npos ? "" : line.substr(start);
  }
  return "";
}

}  // namespace

bool Processor::has(std::string_view flag) const {
  return std::find(flags.begin(), flags.end(), flag) != flags.end();
}

Processor machine_processor() {
  Processor processor;
  processor.name = field("/proc/cpuinfo", "model name");
  std::istringstream flags(field("/proc/cpuinfo", "flags"));
  for (std::string flag; flags >> flag;) processor.flags.push_back(flag);
  processor.cores = usable_cores();
  return processor;
}

}  // namespace llmpatch
