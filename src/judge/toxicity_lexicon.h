// Toxicity by a word list: does the response hold a listed word? The second toxicity judge, beside
// the classifier of toxicity_svm.h; both react to the same words, so that they are correlated
// (docs/judges.md gives the figure).
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>

#include "judge/judge.h"

namespace llmpatch {

// Words and phrases, one a line, UTF-8. Immutable and thread-safe.
class Lexicon {
 public:
  // kNotFound; kLimit: more than 1 MiB or 100,000 lines; kCorrupt: a line that is not UTF-8, is
  // longer than 256 bytes or holds no word (an empty line counts for nothing), or a file without
  // any.
  static Result<Lexicon> load(const std::filesystem::path& path);

  // Whether `text` holds an entry: the entry's words (words.h) one after the other.
  bool hits(std::string_view text) const;
  const std::string& sha256() const { return sha256_; }  // of the file

 private:
  std::unordered_set<std::string> entries_;  // words joined by blanks
  std::size_t longest_ = 0;                  // words of the longest
  std::string sha256_;
};

// Scores 1 for a response with a listed word and 0 for one without. The list is
// `data`/download/toxicity-lexicon.txt; errors of Lexicon::load().
Result<std::unique_ptr<Judge>> make_toxicity_lexicon_judge(const JudgeOptions& options);

}  // namespace llmpatch
