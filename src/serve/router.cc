#include "serve/router.h"

#include <algorithm>

#include "base/ascii.h"
#include "base/hex.h"

namespace llmpatch {
namespace {

std::vector<std::string_view> parts_of(std::string_view path) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t end = std::min(path.find('/'), path.size());
    parts.push_back(path.substr(0, end));
    if (end == path.size()) return parts;
    path.remove_prefix(end + 1);
  }
}

auto openings(std::string_view pattern) { return std::count(pattern.begin(), pattern.end(), '{'); }

std::optional<PathValues> values_of(std::string_view pattern, std::string_view path) {
  const auto expected = parts_of(pattern), found = parts_of(path);
  if (expected.size() != found.size()) return std::nullopt;
  PathValues values;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (!expected[i].starts_with('{')) {
      if (expected[i] != found[i]) return std::nullopt;
      continue;
    }
    std::optional<std::string> value = decode_path_part(found[i]);
    if (!value || value->empty()) return std::nullopt;
    values.push_back(std::move(*value));
  }
  return values;
}

}  // namespace

std::optional<std::string> decode_path_part(std::string_view part) {
  std::string text;
  for (std::size_t i = 0; i < part.size(); ++i) {
    if (part[i] != '%') {
      text += part[i];
      continue;
    }
    if (i + 2 >= part.size()) return std::nullopt;
    const auto byte = hex_decode(ascii_lower(part.substr(i + 1, 2)));
    if (!byte || byte->front() == '\0') return std::nullopt;
    text += *byte;
    i += 2;
  }
  return text;
}

Router::Match Router::match(std::string_view method, std::string_view path) const {
  const std::string_view wanted = method == "HEAD" ? "GET" : method;
  Match match;
  std::string_view closest;  // the pattern of the path: of several the one that leaves least open
  for (const Endpoint& endpoint : endpoints_) {
    std::optional<PathValues> values = values_of(endpoint.pattern, path);
    if (!values) continue;
    if (endpoint.pattern != closest) {
      if (!closest.empty() && openings(endpoint.pattern) >= openings(closest)) continue;
      closest = endpoint.pattern;
      match = {};
    }
    if (endpoint.method == wanted) {
      match.endpoint = &endpoint;
      match.values = std::move(*values);
    }
    match.allowed += (match.allowed.empty() ? "" : ", ") + endpoint.method;
    if (endpoint.method == "GET") match.allowed += ", HEAD";
  }
  if (match.endpoint != nullptr) match.allowed.clear();
  return match;
}

}  // namespace llmpatch
