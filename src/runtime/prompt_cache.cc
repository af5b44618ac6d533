#include "runtime/prompt_cache.h"

#include <algorithm>
#include <utility>

namespace llmpatch {

std::size_t common_beginning(std::span<const Token> a, std::span<const Token> b) {
  const std::size_t n = std::min(a.size(), b.size());
  std::size_t i = 0;
  while (i < n && a[i] == b[i]) ++i;
  return i;
}

const CachedSequence* PromptCache::find(const StackParts& stack, std::string_view tenant,
                                        std::span<const Token> prompt) {
  auto best = sequences_.end();
  std::size_t most = 0;
  for (auto it = sequences_.begin(); it != sequences_.end(); ++it) {
    if (it->tenant != tenant || it->stack->ids != stack) continue;
    const std::size_t n = common_beginning(it->tokens, prompt);
    if (n == 0 || n < most) continue;
    most = n;
    best = it;
  }
  if (best == sequences_.end()) return nullptr;
  sequences_.splice(sequences_.end(), sequences_, best);
  return &sequences_.back();
}

std::vector<CachedSequence> PromptCache::keep(CachedSequence sequence) {
  std::vector<CachedSequence> out;
  for (auto it = sequences_.begin(); it != sequences_.end();) {
    const auto next = std::next(it);
    if (it->tenant == sequence.tenant && it->stack->ids == sequence.stack->ids) {
      const std::size_t n = common_beginning(it->tokens, sequence.tokens);
      if (n == sequence.tokens.size()) {
        sequences_.splice(sequences_.end(), sequences_, it);
        out.push_back(std::move(sequence));
        return out;
      }
      if (n == it->tokens.size()) {
        out.push_back(std::move(*it));
        sequences_.erase(it);
      }
    }
    it = next;
  }
  sequences_.push_back(std::move(sequence));
  while (sequences_.size() > limit_) out.push_back(*evict());
  return out;
}

std::optional<CachedSequence> PromptCache::evict() {
  if (sequences_.empty()) return std::nullopt;
  CachedSequence oldest = std::move(sequences_.front());
  sequences_.pop_front();
  return oldest;
}

std::vector<CachedSequence> PromptCache::take_retired() {
  std::vector<CachedSequence> out;
  for (CachedSequence& sequence : sequences_) {
    if (sequence.stack->retired()) out.push_back(std::move(sequence));
  }
  // A sequence that was taken out has no stack any more.
  sequences_.remove_if([](const CachedSequence& sequence) { return sequence.stack == nullptr; });
  return out;
}

}  // namespace llmpatch
