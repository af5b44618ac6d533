// Chooses the tokens of one answer: logit bias, penalties, grammar, then the sampler.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "runtime/grammar.h"
#include "runtime/random.h"
#include "runtime/sampling.h"
#include "runtime/serving_engine.h"

namespace llmpatch {

// Scratch memory that the choosers of a thread share.
struct ChooserScratch {
  explicit ChooserScratch(const Tokens& suppressed) : sampler(suppressed) {}

  Sampler sampler;
  std::vector<float> logits;
};

// Not thread-safe.
class TokenChooser {
 public:
  // `sampling` must outlive the chooser; `grammar` may be null.
  TokenChooser(const ServingSampling& sampling, std::unique_ptr<Grammar> grammar,
               const AnswerRandom& random);

  // The next token, or nothing when the grammar allows none. Errors of Grammar::mask.
  Result<std::optional<Token>> choose(std::span<const float> logits, ChooserScratch& scratch);
  // Takes the token into the answer. Not for end tokens. Errors of Grammar::accept.
  Status accept(Token token);

 private:
  void adjust(std::span<float> logits) const;

  const ServingSampling& sampling_;
  std::unique_ptr<Grammar> grammar_;
  AnswerRandom random_;
  std::map<Token, int> counts_;  // of the answer's tokens; only where penalties want them
  std::uint32_t position_ = 0;
};

}  // namespace llmpatch
