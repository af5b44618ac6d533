// Holds an answer to a grammar (GBNF), by libllama's matcher.
#pragma once

#include <llama.h>

#include <cstddef>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "runtime/model.h"

namespace llmpatch {

// What one answer may go on with. Not thread-safe.
class Grammar {
 public:
  // With `triggers` (not empty each) the grammar waits until one of these texts has come, and holds
  // from its first character on. Errors of check_grammar().
  static Result<std::unique_ptr<Grammar>> create(const Model& model, const std::string& text,
                                                 std::vector<std::string> triggers = {});

  // Whether it holds nothing yet: then every token may come.
  bool waits() const { return waits_; }
  // Whether `token` may come next; an end token where the grammar may end.
  bool allows(Token token);
  // Sets the logits of all tokens that may not come next to minus infinity.
  void mask(std::span<float> logits);
  // Goes on by a token that is allowed and no end token. kInternal when the matcher cannot. Where
  // what follows a trigger in its own last token is not the grammar's, it was none, and the answer
  // is held to nothing from there on.
  Status accept(Token token);

 private:
  struct Free {
    void operator()(llama_sampler* sampler) const { llama_sampler_free(sampler); }
  };
  Grammar(const Model& model, llama_sampler* sampler, std::vector<std::string> triggers);
  void look_for_trigger(Token token);

  const Model& model_;
  std::unique_ptr<llama_sampler, Free> sampler_;
  const std::vector<std::string> triggers_;
  bool waits_;
  // While it waits: the last tokens, as far as a trigger may have begun in them.
  std::deque<std::pair<Token, std::size_t>> held_;  // and the bytes of each
  std::string held_text_;
};

}  // namespace llmpatch
