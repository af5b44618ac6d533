#include "runtime/token_texts.h"

#include <algorithm>

namespace llmpatch {

TokenTexts::TokenTexts(const Model& model) {
  const auto n = static_cast<Token>(model.n_vocab());
  std::vector<std::size_t> sizes;
  for (Token token = 0; token < n; ++token) {
    const std::string text = model.text({&token, 1}, /*special=*/true);
    sizes.push_back(text.size());
    bytes_ += text;
  }
  std::size_t at = 0;
  for (Token token = 0; token < n; ++token) {
    const std::size_t size = sizes[static_cast<std::size_t>(token)];
    const std::string_view text = std::string_view(bytes_).substr(at, size);
    at += size;
    if (!text.empty() && text.front() != '\0' && !model.is_end(token)) {
      entries_.push_back({token, text, 0});
    }
  }
  std::sort(entries_.begin(), entries_.end(),
            [](const Entry& a, const Entry& b) { return a.text < b.text; });
  for (std::size_t i = 1; i < entries_.size(); ++i) {
    const std::string_view a = entries_[i - 1].text, b = entries_[i].text;
    const auto end = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first;
    entries_[i].shared = static_cast<std::size_t>(end - a.begin());
  }
}

}  // namespace llmpatch
