// A linear support vector machine on TF-IDF weighted words with calibrated probabilities, as
// scikit-learn computes it: TfidfVectorizer (single words, lower case, smooth idf, L2 norm), then
// CalibratedClassifierCV over LinearSVC.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace llmpatch {

// Immutable and thread-safe. The file (docs/data.md tells its lines) is made by
// scripts/convert_svm.py.
class TfidfSvm {
 public:
  // kNotFound; kLimit: more than 32 MiB; kCorrupt, with the line: anything that the format does not
  // say.
  static Result<TfidfSvm> load(const std::filesystem::path& path);

  // Probability in [0, 1] that `text` is of the class that was learned. With t a term of `text`
  // that the table knows: x_t = count_t idf_t, divided by the norm of x; f_k = w_k . x +
  // intercept_k; the mean over the folds k of 1 / (1 + exp(a_k f_k + b_k)). Damaged UTF-8 separates
  // words.
  double probability(std::string_view text) const;

  const std::string& sha256() const { return sha256_; }  // of the file

 private:
  struct Fold {
    double intercept = 0, a = 0, b = 0;
  };

  Status read_header(const Json& header, const std::string& where);
  Status read_term(const Json& line, const std::string& where);
  bool is_word_character(char32_t c) const;
  // Counts of the known terms of `text`, by index.
  std::unordered_map<std::uint32_t, int> count_terms(std::string_view text) const;

  std::vector<Fold> folds_;
  std::int64_t announced_ = 0;  // terms, by the header
  std::unordered_map<std::string, std::uint32_t> terms_;
  std::vector<double> idf_;      // per term
  std::vector<double> weights_;  // per term and fold
  // What Python takes for word characters outside ASCII, as ranges in order, and the lower case of
  // characters that have another.
  std::vector<std::pair<char32_t, char32_t>> word_characters_;
  std::unordered_map<char32_t, std::string> lower_case_;
  std::string sha256_;
};

}  // namespace llmpatch
