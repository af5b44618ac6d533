#include "trust/pem.h"

#include <algorithm>

#include "base/base64.h"

namespace llmpatch {
namespace {

constexpr std::string_view kBegin = "-----BEGIN ";
constexpr std::string_view kEnd = "-----END ";
constexpr std::string_view kDashes = "-----";

// Takes the next line off `text`; without its end and the spaces before that.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  line = line.substr(0, line.find_last_not_of(" \t\r") + 1);
  return line;
}

// The label of a line that begins or ends a block; empty for any other line.
std::string_view label_of(std::string_view line, std::string_view prefix) {
  if (line.size() < prefix.size() + kDashes.size() || !line.starts_with(prefix) ||
      !line.ends_with(kDashes)) {
    return {};
  }
  return line.substr(prefix.size(), line.size() - prefix.size() - kDashes.size());
}

// The block whose first line was taken off `text`.
std::optional<PemBlock> read_block(std::string_view text, std::string_view label) {
  PemBlock block;
  block.label = label;
  std::string_view line = take_line(text);
  if (line.find(':') != std::string_view::npos) {
    for (; !line.empty(); line = take_line(text)) block.headers.append(line).append("\n");
    line = take_line(text);
  }
  std::string base64;
  for (; label_of(line, kEnd) != label; line = take_line(text)) {
    if (line.empty()) return std::nullopt;
    base64 += line;
  }
  // The other alphabet of base64 is no PEM.
  if (base64.find_first_of("-_") != std::string::npos) return std::nullopt;
  std::optional<std::string> der = base64_decode(base64);
  if (!der) return std::nullopt;
  block.der = std::move(*der);
  return block;
}

}  // namespace

std::optional<PemBlock> find_pem_block(std::string_view text,
                                       std::initializer_list<std::string_view> labels) {
  while (!text.empty()) {
    const std::string_view label = label_of(take_line(text), kBegin);
    if (std::find(labels.begin(), labels.end(), label) != labels.end()) {
      return read_block(text, label);
    }
  }
  return std::nullopt;
}

std::size_t count_pem_blocks(std::string_view text, std::string_view label) {
  std::size_t count = 0;
  while (!text.empty()) {
    if (label_of(take_line(text), kBegin) == label) ++count;
  }
  return count;
}

}  // namespace llmpatch
