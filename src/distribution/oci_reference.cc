#include "distribution/oci_reference.h"

#include <algorithm>

#include "base/quote.h"
#include "base/sha256.h"

namespace llmpatch {
namespace {

constexpr std::string_view kAlgorithm = "sha256:";
constexpr std::size_t kLongest = 1024, kLongestName = 255, kLongestTag = 128;

bool is_lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool is_word(char c) { return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z') || c == '_'; }

// [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*
bool is_component(std::string_view text) {
  std::size_t at = 0;
  const auto letters = [&] {
    const std::size_t from = at;
    while (at < text.size() && is_lower_or_digit(text[at])) ++at;
    return at > from;
  };
  if (!letters()) return false;
  while (at < text.size()) {
    if (text[at] == '.') {
      ++at;
    } else if (text[at] == '_') {
      at += text.substr(at).starts_with("__") ? 2 : 1;
    } else if (text[at] == '-') {
      while (at < text.size() && text[at] == '-') ++at;
    }
    if (!letters()) return false;
  }
  return true;
}

bool is_repository(std::string_view text) {
  if (text.size() > kLongestName) return false;
  while (true) {
    const std::size_t slash = text.find('/');
    if (!is_component(text.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    text.remove_prefix(slash + 1);
  }
}

// A name or an address, and a port perhaps.
bool is_host(std::string_view text) {
  const std::size_t end = text.starts_with('[') ? text.find(']') : std::string_view::npos;
  const std::size_t colon = text.find(':', end == std::string_view::npos ? 0 : end);
  const std::string_view name = text.substr(0, colon);
  if (colon != std::string_view::npos) {
    const std::string_view port = text.substr(colon + 1);
    if (port.empty() || port.size() > 5 ||
        !std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; })) {
      return false;
    }
  }
  if (end != std::string_view::npos) {
    const std::string_view inside = name.substr(1, end - 1);
    return name.size() == end + 1 && !inside.empty() &&
           inside.find_first_not_of("0123456789abcdefABCDEF:.") == std::string_view::npos;
  }
  return !name.empty() && name.front() != '-' && name.front() != '.' &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return (is_word(c) && c != '_') || c == '.' || c == '-'; });
}

}  // namespace

bool is_oci_tag(std::string_view text) {
  return !text.empty() && text.size() <= kLongestTag && is_word(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return is_word(c) || c == '.' || c == '-'; });
}

bool is_oci_digest(std::string_view text) {
  return text.starts_with(kAlgorithm) && is_sha256_hex(text.substr(kAlgorithm.size()));
}

std::string oci_digest(std::string_view bytes) {
  return std::string(kAlgorithm) + sha256_hex(bytes);
}

std::string OciReference::to_string() const {
  return host + "/" + repository + (tag.empty() ? "" : ":" + tag) +
         (digest.empty() ? "" : "@" + digest);
}

Result<OciReference> parse_oci_reference(std::string_view text) {
  const std::string whole(text.substr(0, kLongest));
  const auto bad = [&](const std::string& what) {
    return make_error(ErrorKind::kInvalidArgument, "registry",
                      "reference " + quote(whole, 200) + ": found " + what +
                          ", expected host/repository:tag or host/repository@sha256:<digest>");
  };
  if (text.size() > kLongest) return bad("more than 1024 characters");
  constexpr std::string_view kScheme = "oci://";
  if (text.starts_with(kScheme)) text.remove_prefix(kScheme.size());
  OciReference reference;
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return bad("no host before a \"/\"");
  reference.host = text.substr(0, slash);
  text.remove_prefix(slash + 1);
  if (const std::size_t at = text.find('@'); at != std::string_view::npos) {
    reference.digest = text.substr(at + 1);
    text = text.substr(0, at);
    if (!is_oci_digest(reference.digest)) return bad("no sha256 digest behind \"@\"");
  }
  if (const std::size_t colon = text.find(':'); colon != std::string_view::npos) {
    reference.tag = text.substr(colon + 1);
    text = text.substr(0, colon);
    if (!is_oci_tag(reference.tag)) return bad("no tag behind \":\"");
  }
  reference.repository = text;
  // "team/refuse" is two folders, not a host: a host has a dot or a port, or is this machine.
  const bool host =
      is_host(reference.host) &&
      (reference.host.find_first_of(".:") != std::string::npos || reference.host == "localhost");
  if (!host) return bad("no registry's host in front");
  if (!is_repository(reference.repository)) return bad("no repository name");
  return reference;
}

}  // namespace llmpatch
