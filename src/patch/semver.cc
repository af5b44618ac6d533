#include "patch/semver.h"

#include <algorithm>
#include <array>

#include "base/quote.h"
#include "patch/names.h"

namespace llmpatch {
namespace {

// The parts of a version that order it.
struct Parts {
  std::array<std::string_view, 3> numbers;
  std::string_view prerelease;  // empty for a release
};

// What stands before `mark`; `text` becomes what stands behind it, or nothing.
std::string_view take_until(std::string_view& text, char mark) {
  const auto at = text.find(mark);
  const std::string_view part = text.substr(0, at);
  text = at == std::string_view::npos ? std::string_view() : text.substr(at + 1);
  return part;
}

Parts split(std::string_view version) {
  version = version.substr(0, version.find('+'));
  Parts parts;
  const auto dash = version.find('-');
  if (dash != std::string_view::npos) parts.prerelease = version.substr(dash + 1);
  std::string_view numbers = version.substr(0, dash);
  for (std::string_view& number : parts.numbers) number = take_until(numbers, '.');
  return parts;
}

int sign(int order) { return (order > 0) - (order < 0); }

// Numbers without leading zeros, of any length: the longer one is larger.
int compare_numbers(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  return sign(a.compare(b));
}

int compare_identifiers(std::string_view a, std::string_view b) {
  const auto is_number = [](std::string_view text) {
    return text.find_first_not_of("0123456789") == std::string_view::npos;
  };
  if (is_number(a) && is_number(b)) return compare_numbers(a, b);
  if (is_number(a) != is_number(b)) return is_number(a) ? -1 : 1;
  return sign(a.compare(b));
}

int compare_prereleases(std::string_view a, std::string_view b) {
  if (a.empty() || b.empty()) return static_cast<int>(a.empty()) - static_cast<int>(b.empty());
  while (!a.empty() && !b.empty()) {
    const std::string_view first = take_until(a, '.');
    const int order = compare_identifiers(first, take_until(b, '.'));
    if (order != 0) return order;
  }
  return static_cast<int>(b.empty()) - static_cast<int>(a.empty());
}

}  // namespace

int compare_semver(std::string_view a, std::string_view b) {
  const Parts left = split(a), right = split(b);
  for (std::size_t i = 0; i < left.numbers.size(); ++i) {
    const int order = compare_numbers(left.numbers[i], right.numbers[i]);
    if (order != 0) return order;
  }
  return compare_prereleases(left.prerelease, right.prerelease);
}

bool in_caret_range(std::string_view version, std::string_view from) {
  if (compare_semver(version, from) < 0) return false;
  const Parts found = split(version), least = split(from);
  if (!found.prerelease.empty() && (least.prerelease.empty() || found.numbers != least.numbers)) {
    return false;
  }
  for (std::size_t i = 0; i < least.numbers.size(); ++i) {
    if (found.numbers[i] != least.numbers[i]) return false;
    if (least.numbers[i] != "0") return true;
  }
  return true;
}

bool Requirement::is_met_by(std::string_view other_name, std::string_view other_version) const {
  if (other_name != name) return false;
  if (version.empty()) return true;
  return caret ? in_caret_range(other_version, version) : other_version == version;
}

Result<Requirement> parse_requirement(std::string_view text) {
  Requirement requirement;
  const auto at = text.find('@');
  requirement.name = text.substr(0, at);
  bool valid = is_patch_name(requirement.name);
  if (at != std::string_view::npos) {
    std::string_view version = text.substr(at + 1);
    requirement.caret = version.starts_with('^');
    if (requirement.caret) version.remove_prefix(1);
    requirement.version = version;
    valid = valid && is_semver(version);
  }
  if (valid) return requirement;
  return make_error(ErrorKind::kInvalidArgument, "requires",
                    "found " + quote(text) + ", expected name, name@1.2.3 or name@^1.2.3");
}

bool is_requirement(std::string_view text) { return parse_requirement(text).ok(); }

}  // namespace llmpatch
