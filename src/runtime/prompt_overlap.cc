#include "runtime/prompt_overlap.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include "base/ascii.h"

namespace llmpatch {
namespace {

// Words that say nothing about what a prompt is about. Contractions appear as their parts, since
// words end at an apostrophe.
const std::set<std::string, std::less<>>& stop_words() {
  static const std::set<std::string, std::less<>> words{
      "a",    "about", "after", "all",    "also",   "am",    "an",    "and",    "any",   "are",
      "as",   "at",    "be",    "been",   "before", "being", "but",   "by",     "can",   "could",
      "d",    "did",   "do",    "does",   "doing",  "don",   "for",   "from",   "get",   "had",
      "has",  "have",  "he",    "her",    "here",   "him",   "his",   "how",    "i",     "if",
      "in",   "into",  "is",    "it",     "its",    "just",  "let",   "ll",     "m",     "me",
      "more", "most",  "my",    "no",     "not",    "of",    "on",    "one",    "or",    "our",
      "out",  "over",  "own",   "please", "re",     "s",     "she",   "should", "so",    "some",
      "such", "t",     "than",  "that",   "the",    "their", "them",  "then",   "there", "these",
      "they", "this",  "those", "to",     "too",    "up",    "us",    "ve",     "very",  "was",
      "we",   "were",  "what",  "when",   "where",  "which", "while", "who",    "whom",  "whose",
      "why",  "will",  "with",  "would",  "you",    "your",
  };
  return words;
}

using WordIds = std::vector<std::size_t>;  // sorted, each once

// What is compared of a prompt.
struct Fingerprint {
  std::string text;  // normalised
  WordIds words;     // without stop words
};

// Numbers words in the order they are met, so that sets of words compare as sets of numbers.
class Vocabulary {
 public:
  std::size_t id(const std::string& word) { return ids_.emplace(word, ids_.size()).first->second; }

 private:
  std::map<std::string, std::size_t> ids_;
};

bool is_word_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || static_cast<unsigned char>(c) >= 0x80;
}

Fingerprint fingerprint_of(std::string_view text, Vocabulary& vocabulary) {
  Fingerprint print;
  std::string word;
  const auto finish_word = [&] {
    if (!word.empty() && !stop_words().contains(word)) print.words.push_back(vocabulary.id(word));
    print.text += word;
    word.clear();
  };
  for (const char c : text) {
    const char low = ascii_lower(c);
    if (is_word_byte(low)) {
      word += low;
    } else {
      finish_word();
    }
  }
  finish_word();
  std::sort(print.words.begin(), print.words.end());
  print.words.erase(std::unique(print.words.begin(), print.words.end()), print.words.end());
  return print;
}

std::vector<Fingerprint> fingerprints_of(std::span<const Prompt> prompts, Vocabulary& vocabulary) {
  std::vector<Fingerprint> prints;
  prints.reserve(prompts.size());
  for (const auto& prompt : prompts) prints.push_back(fingerprint_of(prompt.text(), vocabulary));
  return prints;
}

// Counts elements it is given and keeps none.
struct CountingOutput {
  using difference_type = std::ptrdiff_t;
  std::size_t* count = nullptr;
  CountingOutput& operator*() { return *this; }
  CountingOutput& operator++() { return *this; }
  CountingOutput operator++(int) { return *this; }
  CountingOutput& operator=(std::size_t) {
    ++*count;
    return *this;
  }
};

double jaccard(const WordIds& a, const WordIds& b) {
  std::size_t shared = 0;
  std::ranges::set_intersection(a, b, CountingOutput{&shared});
  return static_cast<double>(shared) / static_cast<double>(a.size() + b.size() - shared);
}

bool overlap(const Fingerprint& a, const Fingerprint& b) {
  if (!a.text.empty() && a.text == b.text) return true;
  if (a.words.size() < kOverlapWords || b.words.size() < kOverlapWords) return false;
  return jaccard(a.words, b.words) >= kOverlapJaccard;
}

std::string place(const PromptSet& set, std::size_t index) {
  return std::string(set.name) + " line " + std::to_string(set.prompts[index].line);
}

}  // namespace

std::vector<PromptOverlap> find_overlaps(std::span<const Prompt> first,
                                         std::span<const Prompt> second) {
  Vocabulary vocabulary;
  const std::vector<Fingerprint> a = fingerprints_of(first, vocabulary);
  const std::vector<Fingerprint> b = fingerprints_of(second, vocabulary);
  std::vector<PromptOverlap> found;
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = 0; j < b.size(); ++j) {
      if (overlap(a[i], b[j])) found.push_back({i, j});
    }
  }
  return found;
}

Status check_no_overlap(const PromptSet& learned, const PromptSet& tested) {
  const std::vector<PromptOverlap> pairs = find_overlaps(learned.prompts, tested.prompts);
  if (pairs.empty()) return {};
  std::string message = "prompts to learn from and to test on: found " +
                        place(learned, pairs[0].first) + " and " + place(tested, pairs[0].second) +
                        " the same or nearly so";
  if (pairs.size() > 1) message += " (and " + std::to_string(pairs.size() - 1) + " more pairs)";
  message += ", expected none shared";
  return make_error(ErrorKind::kInvalidArgument, "prompts", std::move(message),
                    "remove these lines from one of the files");
}

}  // namespace llmpatch
