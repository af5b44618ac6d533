#include "patch/names.h"

#include <algorithm>
#include <chrono>

namespace llmpatch {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool is_number(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}

// A number without leading zeros, as SemVer wants it.
bool is_plain_number(std::string_view text) {
  return is_number(text) && (text.size() == 1 || text[0] != '0');
}

// Dot-separated identifiers [0-9A-Za-z-]+, none empty. In a pre-release a numeric identifier has no
// leading zeros; in build metadata it may.
bool are_identifiers(std::string_view text, bool leading_zeros) {
  while (true) {
    const auto dot = text.find('.');
    const std::string_view part = text.substr(0, dot);
    const auto allowed = [](char c) { return is_digit(c) || is_letter(c) || c == '-'; };
    if (part.empty() || !std::all_of(part.begin(), part.end(), allowed)) return false;
    if (!leading_zeros && is_number(part) && !is_plain_number(part)) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

int to_int(std::string_view digits) {
  int value = 0;
  for (const char c : digits) value = value * 10 + (c - '0');
  return value;
}

}  // namespace

bool is_patch_name(std::string_view text) {
  const auto alphanumeric = [](char c) { return is_digit(c) || (c >= 'a' && c <= 'z'); };
  const auto allowed = [&](char c) { return alphanumeric(c) || c == '.' || c == '_' || c == '-'; };
  return !text.empty() && text.size() <= kMaxNameLength && alphanumeric(text[0]) &&
         std::all_of(text.begin(), text.end(), allowed);
}

bool is_semver(std::string_view text) {
  if (text.size() > kMaxVersionLength) return false;
  if (const auto plus = text.find('+'); plus != std::string_view::npos) {
    if (!are_identifiers(text.substr(plus + 1), true)) return false;
    text = text.substr(0, plus);
  }
  if (const auto dash = text.find('-'); dash != std::string_view::npos) {
    if (!are_identifiers(text.substr(dash + 1), false)) return false;
    text = text.substr(0, dash);
  }
  const auto first = text.find('.');
  if (first == std::string_view::npos) return false;
  const auto second = text.find('.', first + 1);
  if (second == std::string_view::npos) return false;
  return is_plain_number(text.substr(0, first)) &&
         is_plain_number(text.substr(first + 1, second - first - 1)) &&
         is_plain_number(text.substr(second + 1));
}

bool is_patch_reference(std::string_view text) {
  const auto at = text.find('@');
  return at != std::string_view::npos && is_patch_name(text.substr(0, at)) &&
         is_semver(text.substr(at + 1));
}

bool is_utc_time(std::string_view text) {
  constexpr std::string_view kForm = "0000-00-00T00:00:00Z";
  if (text.size() != kForm.size()) return false;
  for (std::size_t i = 0; i < kForm.size(); ++i) {
    if (kForm[i] == '0' ? !is_digit(text[i]) : text[i] != kForm[i]) return false;
  }
  const std::chrono::year_month_day date(
      std::chrono::year(to_int(text.substr(0, 4))),
      std::chrono::month(static_cast<unsigned>(to_int(text.substr(5, 2)))),
      std::chrono::day(static_cast<unsigned>(to_int(text.substr(8, 2)))));
  return date.ok() && to_int(text.substr(11, 2)) < 24 && to_int(text.substr(14, 2)) < 60 &&
         to_int(text.substr(17, 2)) < 60;
}

}  // namespace llmpatch
