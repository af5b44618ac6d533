// Holds an answer to a grammar (GBNF).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "runtime/grammar_stacks.h"
#include "runtime/model.h"

namespace llmpatch {

// What one answer may go on with. The work of each call is bounded, whatever the grammar and the
// answer so far: by a million steps of GrammarStacks, or 40 for each token of a larger vocabulary.
// Not thread-safe.
class Grammar {
 public:
  // `model` must outlive the grammar. With `triggers` (not empty each) the grammar waits until one
  // of these texts has come, and holds from its first character on. Errors of check_grammar().
  static Result<std::unique_ptr<Grammar>> create(const Model& model, const std::string& text,
                                                 std::vector<std::string> triggers = {});

  // Whether it holds nothing yet: then every token may come.
  bool waits() const { return waits_; }
  // Whether `token` may come next; an end token where the grammar may end. False, too, where that
  // takes too much work to tell.
  bool allows(Token token);
  // Sets the logits of all tokens that may not come next to minus infinity. kUnsupported, and the
  // logits are as they were, where that takes too much work.
  Status mask(std::span<float> logits);
  // Goes on by a token that is no end token. kInternal when it is not allowed, kUnsupported where
  // it takes too much work. Where what follows a trigger in its own last token is not the
  // grammar's, it was none, and the answer is held to nothing from there on.
  Status accept(Token token);

  // The steps of the last call; for tests.
  std::size_t work() const { return max_work_ - stacks_.work_left(); }

 private:
  // A place in an answer, maybe within a character.
  struct Place {
    GrammarStacks::Front front;
    std::uint32_t code = 0;  // the bits of the character's first bytes
    int missing = 0;         // its bytes that have not come
  };
  Grammar(const Model& model, const GrammarRules& rules, std::vector<std::string> triggers);
  bool holds() const { return !waits_ && !is_free_; }
  bool read(const Place& from, unsigned char byte, Place& to);
  Place after(Token token, std::string_view text);
  void read_all(std::vector<bool>& allowed);
  Status go_on(Token token, std::string_view text);
  Status look_for_trigger(Token token);
  Status begin(std::size_t start);

  const Model& model_;
  const std::size_t max_work_;
  GrammarStacks stacks_;
  Place place_;
  std::size_t kept_ = 0;  // of stacks_, when what is not in use was last dropped

  const std::vector<std::string> triggers_;
  bool waits_;
  bool is_free_ = false;  // what seemed a trigger was none
  // While it waits: the last tokens, as far as a trigger may have begun in them.
  std::deque<std::pair<Token, std::size_t>> held_;  // and the bytes of each
  std::string held_text_;
};

}  // namespace llmpatch
