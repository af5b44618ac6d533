#include "runtime/special_tokens.h"

#include <llama.h>

#include <algorithm>
#include <cctype>
#include <string_view>

#include "runtime/chat_template.h"

namespace llmpatch {
namespace {

bool is_space(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }

}  // namespace

SpecialTokens::SpecialTokens(const llama_vocab* vocab) {
  const std::int32_t n = llama_vocab_n_tokens(vocab);
  for (std::int32_t id = 0; id < n; ++id) {
    const int attributes = llama_vocab_get_attr(vocab, id);
    if ((attributes & (LLAMA_TOKEN_ATTR_CONTROL | LLAMA_TOKEN_ATTR_UNKNOWN)) == 0) continue;
    const char* text = llama_vocab_get_text(vocab, id);
    if (text == nullptr || *text == '\0') continue;
    tokens_.push_back({id, text, (attributes & LLAMA_TOKEN_ATTR_LSTRIP) != 0,
                       (attributes & LLAMA_TOKEN_ATTR_RSTRIP) != 0});
  }
  std::stable_sort(tokens_.begin(), tokens_.end(), [](const Special& a, const Special& b) {
    return a.text.size() > b.text.size();
  });
}

std::vector<TextPiece> SpecialTokens::split(std::span<const TextSpan> spans) const {
  struct Range {
    std::size_t begin, end;
  };
  std::string text;
  std::vector<Range> own;  // the template's own text, neighbouring spans joined
  for (const TextSpan& span : spans) {
    const std::size_t begin = text.size();
    text += span.text;
    if (span.from_message || span.text.empty()) continue;
    if (!own.empty() && own.back().end == begin) {
      own.back().end = text.size();
    } else {
      own.push_back({begin, text.size()});
    }
  }

  struct Match {
    std::size_t begin, end;
    const Special* token;
  };
  std::vector<Match> matches;
  for (const Range& range : own) {
    // Text of this range that no token has taken yet; longer tokens take first.
    std::vector<Range> free{range};
    for (const Special& special : tokens_) {
      for (std::size_t i = 0; i < free.size(); ++i) {
        const std::string_view hay(text.data() + free[i].begin, free[i].end - free[i].begin);
        const std::size_t at = hay.find(special.text);
        if (at == std::string_view::npos) continue;
        const std::size_t begin = free[i].begin + at;
        const std::size_t end = begin + special.text.size();
        matches.push_back({begin, end, &special});
        const Range rest{end, free[i].end};
        free[i].end = begin;
        free.insert(free.begin() + static_cast<std::ptrdiff_t>(i) + 1, rest);
      }
    }
  }
  std::sort(matches.begin(), matches.end(),
            [](const Match& a, const Match& b) { return a.begin < b.begin; });

  std::vector<TextPiece> pieces;
  std::size_t done = 0;
  const auto add_text = [&](std::size_t end, bool strip_right) {
    std::size_t stop = end;
    while (strip_right && stop > done && is_space(text[stop - 1])) --stop;
    if (stop > done) pieces.emplace_back(text.substr(done, stop - done));
    done = end;
  };
  for (const Match& match : matches) {
    add_text(match.begin, match.token->strip_left);
    pieces.emplace_back(match.token->id);
    done = match.end;
    while (match.token->strip_right && done < text.size() && is_space(text[done])) ++done;
  }
  add_text(text.size(), false);
  return pieces;
}

}  // namespace llmpatch
