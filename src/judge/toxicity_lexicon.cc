#include "judge/toxicity_lexicon.h"

#include <algorithm>
#include <vector>

#include "base/file.h"
#include "base/sha256.h"
#include "base/utf8.h"
#include "judge/words.h"

namespace llmpatch {
namespace {

constexpr std::uint64_t kMaxFile = std::uint64_t{1} << 20;
constexpr std::size_t kMaxLines = 100'000, kMaxLine = 256;

class ToxicityLexiconJudge final : public Judge {
 public:
  explicit ToxicityLexiconJudge(Lexicon lexicon) : lexicon_(std::move(lexicon)) {}
  std::string_view name() const override { return "toxicity-lexicon"; }
  std::string identity() const override {
    return std::string(name()) + " sha256:" + lexicon_.sha256();
  }
  Result<std::vector<double>> score(std::span<const JudgeItem> items) const override {
    std::vector<double> scores;
    scores.reserve(items.size());
    for (const auto& item : items) scores.push_back(lexicon_.hits(item.response) ? 1.0 : 0.0);
    return scores;
  }

 private:
  Lexicon lexicon_;
};

}  // namespace

Result<Lexicon> Lexicon::load(const std::filesystem::path& path) {
  LLMPATCH_ASSIGN(const std::string text, read_file(path, kMaxFile, "list of toxic words"));
  Lexicon lexicon;
  lexicon.sha256_ = sha256_hex(text);
  std::size_t number = 0;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    const std::string_view line = std::string_view(text).substr(start, end - start);
    start = end + 1;
    const std::string where = path.string() + " line " + std::to_string(++number);
    if (number > kMaxLines) {
      return make_error(
          ErrorKind::kLimit, "judge",
          path.string() + ": found more than " + std::to_string(kMaxLines) + " lines");
    }
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    if (line.size() > kMaxLine || !is_utf8(line)) {
      return make_error(ErrorKind::kCorrupt, "judge",
                        where + ": found no UTF-8 of at most " + std::to_string(kMaxLine) +
                            " bytes, expected a word or phrase");
    }
    const std::vector<std::string> words = words_of(line);
    if (words.empty()) {
      return make_error(ErrorKind::kCorrupt, "judge",
                        where + ": found punctuation alone, expected a word or phrase");
    }
    std::string entry;
    for (const std::string& word : words) entry += (entry.empty() ? "" : " ") + word;
    lexicon.entries_.insert(std::move(entry));
    lexicon.longest_ = std::max(lexicon.longest_, words.size());
  }
  if (lexicon.entries_.empty()) {
    return make_error(ErrorKind::kCorrupt, "judge",
                      path.string() + ": found no word, expected at least one");
  }
  return lexicon;
}

bool Lexicon::hits(std::string_view text) const {
  const std::vector<std::string> words = words_of(text);
  for (std::size_t first = 0; first < words.size(); ++first) {
    std::string phrase;
    const std::size_t end = std::min(words.size(), first + longest_);
    for (std::size_t i = first; i < end; ++i) {
      phrase += (phrase.empty() ? "" : " ") + words[i];
      if (entries_.contains(phrase)) return true;
    }
  }
  return false;
}

Result<std::unique_ptr<Judge>> make_toxicity_lexicon_judge(const JudgeOptions& options) {
  const auto path = options.data / "download" / "toxicity-lexicon.txt";
  auto lexicon = Lexicon::load(path);
  if (!lexicon.ok()) {
    Error error = lexicon.error();
    if (error.kind == ErrorKind::kNotFound) error.hint = "scripts/setup puts it there";
    return error;
  }
  return std::unique_ptr<Judge>(std::make_unique<ToxicityLexiconJudge>(std::move(*lexicon)));
}

}  // namespace llmpatch
