#include "base/memory.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

// The number after `key` in a file of lines "key number" or "key: number ...".
std::optional<std::uint64_t> number_after(const fs::path& path, std::string_view key) {
  std::ifstream file(path);
  std::string word;
  for (std::uint64_t number = 0; file >> word;) {
    if (word == key && file >> number) return number;
    std::getline(file, word);
  }
  return std::nullopt;
}

// A file's only number; none where it says "max".
std::optional<std::uint64_t> number_in(const fs::path& path) {
  std::ifstream file(path);
  std::uint64_t number = 0;
  return file >> number ? std::optional(number) : std::nullopt;
}

// What a version of control groups calls its files.
struct GroupFiles {
  const char *mounted, *limit, *used, *active, *inactive;
};
constexpr GroupFiles kVersion1{"sys/fs/cgroup/memory", "memory.limit_in_bytes",
                               "memory.usage_in_bytes", "total_active_file", "total_inactive_file"};
constexpr GroupFiles kVersion2{"sys/fs/cgroup", "memory.max", "memory.current", "active_file",
                               "inactive_file"};

void limit_by(const fs::path& group, const GroupFiles& files, Memory& memory) {
  const auto limit = number_in(group / files.limit);
  const auto used = number_in(group / files.used);
  if (!limit || !used) return;
  const fs::path stat = group / "memory.stat";
  const std::uint64_t cached =
      number_after(stat, files.active).value_or(0) + number_after(stat, files.inactive).value_or(0);
  const std::uint64_t held = *used - std::min(*used, cached);
  memory.total = std::min(memory.total, *limit);
  memory.available = std::min(memory.available, *limit - std::min(*limit, held));
}

// `line` of /proc/self/cgroup is "ID:CONTROLLERS:PATH". In a container the path may be one of the
// machine's, which is not mounted: then only the root's files are there, and they are the
// container's.
void limit_by_groups(const fs::path& root, const std::string& line, Memory& memory) {
  const std::size_t first = line.find(':');
  const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
  if (second == std::string::npos) return;
  std::string controllers = line.substr(first, second - first) + ",";
  controllers[0] = ',';
  const bool is_version_2 = line.starts_with("0::");
  if (!is_version_2 && controllers.find(",memory,") == std::string::npos) return;
  const GroupFiles& files = is_version_2 ? kVersion2 : kVersion1;
  const fs::path mounted = root / files.mounted;
  fs::path group = fs::path(line.substr(second + 1)).relative_path();
  if (std::find(group.begin(), group.end(), "..") != group.end()) group.clear();
  for (; !group.empty(); group = group.parent_path()) limit_by(mounted / group, files, memory);
  limit_by(mounted, files, memory);
}

}  // namespace

Memory usable_memory(const fs::path& root) {
  const fs::path machine = root / "proc/meminfo";
  Memory memory{number_after(machine, "MemTotal:").value_or(0) * 1024,
                number_after(machine, "MemAvailable:").value_or(0) * 1024};
  std::ifstream groups(root / "proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) limit_by_groups(root, line, memory);
  return memory;
}

std::uint64_t resident_bytes() {
  return number_after("/proc/self/status", "VmRSS:").value_or(0) * 1024;
}

}  // namespace llmpatch
