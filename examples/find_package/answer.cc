// answer MODEL.gguf PATCH KEY.pub TEXT: continues TEXT behind a patch that KEY signed.
#include <llama-cpp.h>
#include <llmpatch/llmpatch.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

auto need(auto result) {
  if (result.ok()) return std::move(result).value();
  std::fprintf(stderr, "answer: %s\n", result.error().to_string().c_str());
  std::exit(1);
}

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const auto patch = need(llmpatch::SafetyPatch::load(argv[2], {.keys = {argv[3]}}));
  const auto base = need(llmpatch::BaseModel::open(argv[1]));
  const auto stack = need(llmpatch::PatchStack::make(base, {patch}));
  llama_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
  llama_model_ptr model(llama_model_load_from_file(argv[1], llama_model_default_params()));
  llama_context_ptr context(llama_init_from_model(model.get(), llama_context_default_params()));
  need(llmpatch::apply(context.get(), stack, 0));
  const auto* vocab = llama_model_get_vocab(model.get());
  llama_sampler_ptr greedy(llama_sampler_init_greedy());
  llama_token tokens[512];
  int n = llama_tokenize(vocab, argv[4], std::strlen(argv[4]), tokens, 512, true, false);
  for (int i = 0; i < 24; ++i, n = 1) {
    if (n <= 0 || llama_decode(context.get(), llama_batch_get_one(tokens, n)) != 0) {
      std::fputs("answer: llama.cpp could not tokenize or decode the text\n", stderr);
      return 1;
    }
    tokens[0] = llama_sampler_sample(greedy.get(), context.get(), -1);
    if (llama_vocab_is_eog(vocab, tokens[0])) break;
    char text[256];
    const int size = llama_token_to_piece(vocab, tokens[0], text, sizeof text, 0, false);
    if (size > 0) std::fwrite(text, 1, size, stdout);
  }
}
