// Holds an answer to a grammar (GBNF), by libllama's matcher.
#pragma once

#include <llama.h>

#include <memory>
#include <span>
#include <string>

#include "base/result.h"
#include "runtime/model.h"

namespace llmpatch {

// What one answer may go on with. Not thread-safe.
class Grammar {
 public:
  // Errors of check_grammar().
  static Result<std::unique_ptr<Grammar>> create(const Model& model, const std::string& text);

  // Whether `token` may come next; an end token where the grammar may end.
  bool allows(Token token);
  // Sets the logits of all tokens that may not come next to minus infinity.
  void mask(std::span<float> logits);
  // Goes on by a token that is allowed and no end token. kInternal when the matcher cannot.
  Status accept(Token token);

 private:
  struct Free {
    void operator()(llama_sampler* sampler) const { llama_sampler_free(sampler); }
  };
  explicit Grammar(llama_sampler* sampler) : sampler_(sampler) {}

  std::unique_ptr<llama_sampler, Free> sampler_;
};

}  // namespace llmpatch
