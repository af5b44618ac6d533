#include "base/lines.h"

#include <fstream>

namespace llmpatch {

Status append_text(const std::filesystem::path& path, std::string_view text) {
  std::ofstream out(path, std::ios::app | std::ios::binary);
  out << text;
  out.flush();
  if (!out) {
    return make_error(ErrorKind::kIo, "file", "write " + path.string() + ": it failed",
                      "is the disk full?");
  }
  return {};
}

std::vector<std::string_view> whole_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  for (std::size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  return lines;
}

}  // namespace llmpatch
