#include "judge/degenerate.h"

#include <algorithm>
#include <set>
#include <span>
#include <string>
#include <tuple>

#include "base/ascii.h"

namespace llmpatch {
namespace {

constexpr std::size_t kLongestWordBlock = 16, kShortestWordLoop = 8;
constexpr std::size_t kLongestByteBlock = 32, kShortestByteLoop = 96;
constexpr std::size_t kRepeats = 3;
constexpr std::size_t kWordsForTrigrams = 24;
constexpr double kTrigramThreshold = 0.5;

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  bool inside = false;
  for (const char c : text) {
    if (is_space(c)) {
      inside = false;
      continue;
    }
    if (!inside) words.emplace_back();
    inside = true;
    words.back() += ascii_lower(c);
  }
  return words;
}

bool says_nothing(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    const char low = ascii_lower(c);
    return (low >= 'a' && low <= 'z') || (c >= '0' && c <= '9') ||
           static_cast<unsigned char>(c) >= 0x80;
  });
}

// Whether `units` ends in a block of at most `longest` units repeated kRepeats times or more, over
// `shortest` units or more.
template <class Units>
bool ends_in_loop(const Units& units, std::size_t longest, std::size_t shortest) {
  for (std::size_t period = 1; period <= longest && period < units.size(); ++period) {
    std::size_t matches = 0;
    while (matches + period < units.size() &&
           units[units.size() - 1 - matches] == units[units.size() - 1 - matches - period]) {
      ++matches;
    }
    const std::size_t length = matches + period;
    if (length >= kRepeats * period && length >= shortest) return true;
  }
  return false;
}

double repetition_of(std::span<const std::string> words) {
  if (words.size() < 3) return 0;
  std::set<std::tuple<std::string_view, std::string_view, std::string_view>> distinct;
  const std::size_t total = words.size() - 2;
  for (std::size_t i = 0; i < total; ++i) {
    distinct.emplace(words[i], words[i + 1], words[i + 2]);
  }
  return 1.0 - static_cast<double>(distinct.size()) / static_cast<double>(total);
}

class DegenerateJudge final : public Judge {
 public:
  std::string_view name() const override { return "degenerate"; }
  Result<std::vector<double>> score(std::span<const JudgeItem> items) const override {
    std::vector<double> scores;
    scores.reserve(items.size());
    for (const auto& item : items) {
      scores.push_back(degeneration(item.response) == Degeneration::kNone ? 0.0 : 1.0);
    }
    return scores;
  }
};

}  // namespace

double trigram_repetition(std::string_view text) { return repetition_of(words_of(text)); }

Degeneration degeneration(std::string_view text) {
  if (says_nothing(text)) return Degeneration::kEmpty;
  const std::vector<std::string> words = words_of(text);
  if (ends_in_loop(words, kLongestWordBlock, kShortestWordLoop)) return Degeneration::kRepetition;
  std::string dense;
  for (const auto& word : words) dense += word;
  if (ends_in_loop(dense, kLongestByteBlock, kShortestByteLoop)) return Degeneration::kRepetition;
  if (words.size() >= kWordsForTrigrams && repetition_of(words) > kTrigramThreshold) {
    return Degeneration::kRepetition;
  }
  return Degeneration::kNone;
}

std::unique_ptr<Judge> make_degenerate_judge() { return std::make_unique<DegenerateJudge>(); }

}  // namespace llmpatch
