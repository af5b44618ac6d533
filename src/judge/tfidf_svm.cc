#include "judge/tfidf_svm.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/ascii.h"
#include "base/file.h"
#include "base/lines.h"
#include "base/quote.h"
#include "base/sha256.h"
#include "base/utf8.h"

namespace llmpatch {
namespace {

constexpr std::uint64_t kMaxFile = std::uint64_t{32} << 20;
constexpr std::size_t kMaxFolds = 64, kMaxTerm = 256, kMaxLowerCase = 16;
constexpr std::int64_t kMaxTerms = 1'000'000;
constexpr char32_t kLastCodePoint = 0x10FFFF;

Error corrupt(const std::string& where, const std::string& message) {
  return make_error(ErrorKind::kCorrupt, "judge", where + ": " + message);
}

template <std::size_t N>
Status only_members(const Json& object, const std::array<std::string_view, N>& known,
                    const std::string& where) {
  if (!object.is_object()) {
    return corrupt(where, std::string("found ") + object.type_name() + ", expected an object");
  }
  for (const auto& [key, value] : object.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      return corrupt(where, "found member " + quote(key) + ", expected another");
    }
  }
  return {};
}

Result<double> finite(const Json& object, const char* key, const std::string& where) {
  LLMPATCH_ASSIGN(const double value, json_number(object, key, where));
  if (!std::isfinite(value)) {
    return corrupt(where, std::string("member '") + key + "': found no finite number");
  }
  return value;
}

// A number of a character outside ASCII, or 0.
char32_t code_point(const Json& value) {
  if (!value.is_number_unsigned()) return 0;
  const auto number = value.get<std::uint64_t>();
  return number >= 0x80 && number <= kLastCodePoint ? static_cast<char32_t>(number) : 0;
}

}  // namespace

Result<TfidfSvm> TfidfSvm::load(const std::filesystem::path& path) {
  LLMPATCH_ASSIGN(const std::string text, read_file(path, kMaxFile, "table of the classifier"));
  TfidfSvm svm;
  svm.sha256_ = sha256_hex(text);
  const std::vector<std::string_view> lines = whole_lines(text);
  if (lines.empty()) return corrupt(path.string(), "found no line, expected a header");
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string where = path.string() + " line " + std::to_string(i + 1);
    LLMPATCH_ASSIGN(const Json line, parse_json(lines[i], where));
    LLMPATCH_TRY(i == 0 ? svm.read_header(line, where) : svm.read_term(line, where));
  }
  if (static_cast<std::int64_t>(svm.terms_.size()) != svm.announced_) {
    return corrupt(path.string(), "found " + std::to_string(svm.terms_.size()) +
                                      " terms, expected " + std::to_string(svm.announced_));
  }
  return svm;
}

Status TfidfSvm::read_header(const Json& header, const std::string& where) {
  constexpr std::array<std::string_view, 7> kMembers{
      "format", "version", "source", "terms", "folds", "word_characters", "lower_case"};
  LLMPATCH_TRY(only_members(header, kMembers, where));
  LLMPATCH_ASSIGN(const std::string format, json_string(header, "format", where));
  LLMPATCH_ASSIGN(const std::int64_t version, json_integer(header, "version", where));
  if (format != "tfidf-svm" || version != 1) {
    return corrupt(where, "found format " + quote(format) + " version " + std::to_string(version) +
                              ", expected \"tfidf-svm\" version 1");
  }
  LLMPATCH_ASSIGN(const std::string source, json_string(header, "source", where));
  LLMPATCH_ASSIGN(announced_, json_integer(header, "terms", where));
  if (announced_ < 1 || announced_ > kMaxTerms) {
    return corrupt(where, "terms: found " + std::to_string(announced_) + ", expected 1 to " +
                              std::to_string(kMaxTerms));
  }
  LLMPATCH_ASSIGN(const Json folds, json_array(header, "folds", where));
  if (folds.empty() || folds.size() > kMaxFolds) {
    return corrupt(where, "folds: found " + std::to_string(folds.size()) + ", expected 1 to " +
                              std::to_string(kMaxFolds));
  }
  for (const Json& fold : folds) {
    constexpr std::array<std::string_view, 3> kFold{"intercept", "a", "b"};
    LLMPATCH_TRY(only_members(fold, kFold, where));
    Fold read;
    LLMPATCH_ASSIGN(read.intercept, finite(fold, "intercept", where));
    LLMPATCH_ASSIGN(read.a, finite(fold, "a", where));
    LLMPATCH_ASSIGN(read.b, finite(fold, "b", where));
    folds_.push_back(read);
  }
  LLMPATCH_ASSIGN(const Json ranges, json_array(header, "word_characters", where));
  char32_t last = 0;
  for (const Json& range : ranges) {
    const bool pair = range.is_array() && range.size() == 2;
    const char32_t from = pair ? code_point(range[0]) : 0, to = pair ? code_point(range[1]) : 0;
    if (from <= last || to < from) {
      return corrupt(where, "word_characters: expected ranges [first, last] in order");
    }
    last = to;
    word_characters_.emplace_back(from, to);
  }
  LLMPATCH_ASSIGN(const Json lower, json_array(header, "lower_case", where));
  for (const Json& entry : lower) {
    const bool pair = entry.is_array() && entry.size() == 2 && entry[1].is_string();
    const char32_t from = pair ? code_point(entry[0]) : 0;
    std::string to = pair ? entry[1].get<std::string>() : std::string();
    if (from == 0 || to.empty() || to.size() > kMaxLowerCase ||
        !lower_case_.emplace(from, std::move(to)).second) {
      return corrupt(where, "lower_case: expected pairs [character, text], each character once");
    }
  }
  return {};
}

Status TfidfSvm::read_term(const Json& line, const std::string& where) {
  constexpr std::array<std::string_view, 3> kMembers{"term", "idf", "weights"};
  LLMPATCH_TRY(only_members(line, kMembers, where));
  LLMPATCH_ASSIGN(std::string term, json_string(line, "term", where));
  LLMPATCH_ASSIGN(const double idf, finite(line, "idf", where));
  LLMPATCH_ASSIGN(const Json weights, json_array(line, "weights", where));
  if (term.empty() || term.size() > kMaxTerm) {
    return corrupt(where, "term: found " + std::to_string(term.size()) + " bytes, expected 1 to " +
                              std::to_string(kMaxTerm));
  }
  if (idf <= 0) return corrupt(where, "idf: found 0 or less, expected more");
  if (weights.size() != folds_.size()) {
    return corrupt(where, "weights: found " + std::to_string(weights.size()) + ", expected " +
                              std::to_string(folds_.size()));
  }
  if (static_cast<std::int64_t>(terms_.size()) == announced_) {
    return corrupt(where, "found more terms than the header announces");
  }
  const auto index = static_cast<std::uint32_t>(terms_.size());
  if (!terms_.emplace(std::move(term), index).second) {
    return corrupt(where, "term: found one that was there before");
  }
  idf_.push_back(idf);
  for (const Json& weight : weights) {
    if (!weight.is_number() || !std::isfinite(weight.get<double>())) {
      return corrupt(where, "weights: found no finite number");
    }
    weights_.push_back(weight.get<double>());
  }
  return {};
}

bool TfidfSvm::is_word_character(char32_t c) const {
  if (c < 0x80) {
    const char ascii = static_cast<char>(c);
    return (ascii >= 'a' && ascii <= 'z') || (ascii >= 'A' && ascii <= 'Z') ||
           (ascii >= '0' && ascii <= '9') || ascii == '_';
  }
  const auto after =
      std::upper_bound(word_characters_.begin(), word_characters_.end(), c,
                       [](char32_t value, const auto& range) { return value < range.first; });
  return after != word_characters_.begin() && c <= std::prev(after)->second;
}

std::unordered_map<std::uint32_t, int> TfidfSvm::count_terms(std::string_view text) const {
  std::string lower;
  while (!text.empty()) {
    const std::string_view before = text;
    const char32_t c = take_code_point(text);
    const auto other = c < 0x80 ? lower_case_.end() : lower_case_.find(c);
    if (other != lower_case_.end()) {
      lower += other->second;
    } else {
      lower += ascii_lower(before.substr(0, before.size() - text.size()));
    }
  }
  std::unordered_map<std::uint32_t, int> counts;
  std::string word;
  int length = 0;  // characters of `word`; a single one is no term
  const auto end_word = [&] {
    const auto found = length >= 2 ? terms_.find(word) : terms_.end();
    if (found != terms_.end()) ++counts[found->second];
    word.clear();
    length = 0;
  };
  for (std::string_view rest = lower; !rest.empty();) {
    const std::string_view before = rest;
    if (is_word_character(take_code_point(rest))) {
      word += before.substr(0, before.size() - rest.size());
      ++length;
    } else {
      end_word();
    }
  }
  end_word();
  return counts;
}

double TfidfSvm::probability(std::string_view text) const {
  const auto counts = count_terms(text);
  double squares = 0;
  for (const auto& [term, count] : counts) squares += std::pow(count * idf_[term], 2);
  const double norm = squares > 0 ? std::sqrt(squares) : 1;
  double sum = 0;
  for (std::size_t k = 0; k < folds_.size(); ++k) {
    double f = folds_[k].intercept;
    for (const auto& [term, count] : counts) {
      f += weights_[term * folds_.size() + k] * count * idf_[term] / norm;
    }
    sum += 1 / (1 + std::exp(folds_[k].a * f + folds_[k].b));
  }
  return sum / static_cast<double>(folds_.size());
}

}  // namespace llmpatch
