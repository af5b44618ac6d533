#include "runtime/grammar.h"

#include <exception>
#include <vector>

#include "runtime/grammar_check.h"
#include "runtime/llama_backend.h"

namespace llmpatch {

Result<std::unique_ptr<Grammar>> Grammar::create(const Model& model, const std::string& text) {
  LLMPATCH_TRY(check_grammar(text));
  take_llama_errors("");
  const llama_vocab* vocab = llama_model_get_vocab(model.handle());
  auto grammar = std::unique_ptr<Grammar>(
      new Grammar(llama_sampler_init_grammar(vocab, text.c_str(), "root")));
  if (grammar->sampler_ == nullptr) {
    return make_error(ErrorKind::kInvalidArgument, "runtime",
                      "grammar: libllama refused it: " + take_llama_errors("no reason given"));
  }
  return grammar;
}

bool Grammar::allows(Token token) {
  llama_token_data candidate{token, 0, 0};
  llama_token_data_array candidates{&candidate, 1, -1, false};
  llama_sampler_apply(sampler_.get(), &candidates);
  return candidate.logit == 0;
}

void Grammar::mask(std::span<float> logits) {
  std::vector<llama_token_data> data(logits.size());
  for (std::size_t id = 0; id < logits.size(); ++id) {
    data[id] = {static_cast<Token>(id), logits[id], 0};
  }
  llama_token_data_array candidates{data.data(), data.size(), -1, false};
  llama_sampler_apply(sampler_.get(), &candidates);
  for (const llama_token_data& candidate : data) {
    logits[static_cast<std::size_t>(candidate.id)] = candidate.logit;
  }
}

Status Grammar::accept(Token token) {
  try {
    llama_sampler_accept(sampler_.get(), token);
  } catch (const std::exception& error) {
    return make_error(ErrorKind::kInternal, "runtime", std::string("grammar: ") + error.what());
  }
  return {};
}

}  // namespace llmpatch
