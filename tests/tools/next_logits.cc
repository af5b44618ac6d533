// next_logits MODEL.gguf PATCH|ADAPTER.gguf OUT: for each line of standard input, as raw text
// behind the patch or under the LoRA adapter, the logits of the next token (float32, one row of
// n_vocab a line, to OUT) and the token ids (a JSON array a line, to standard output). Exact
// arithmetic, for comparisons with other programs.
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "patch/patch.h"
#include "runtime/engine.h"

namespace llmpatch {
namespace {

Status next_logits(const std::filesystem::path& model_path, const std::filesystem::path& patch_path,
                   const std::filesystem::path& out) {
  LLMPATCH_ASSIGN(const auto model, Model::load(model_path, {.exact = true}));
  const bool is_adapter = patch_path.extension() == ".gguf";
  EngineOptions options;
  options.exact = true;
  if (is_adapter) options.adapters.lora = {{patch_path, 1}};
  LLMPATCH_ASSIGN(const auto engine, Engine::create(*model, options));
  Stack stack;
  if (!is_adapter) {
    LLMPATCH_ASSIGN(const Patch patch, load_patch(patch_path));
    LLMPATCH_ASSIGN(const PrefixId prefix, engine->add_prefix(patch.rows));
    stack.prefixes = {prefix};
  }

  std::vector<ScoreRequest> requests;
  for (std::string line; std::getline(std::cin, line);) {
    LLMPATCH_ASSIGN(const Tokens text, model->tokenize(line, false));
    ScoreRequest request;
    request.prompt = model->bos();
    request.prompt.insert(request.prompt.end(), text.begin(), text.end());
    request.continuation = {0};  // any token: what predicts it is wanted, not its probability
    request.stack = stack;
    std::cout << json_line(Json(request.prompt)) << "\n";
    requests.push_back(std::move(request));
  }
  std::string bytes(requests.size() * model->n_vocab() * sizeof(float), '\0');
  LLMPATCH_TRY(engine->logits(
      requests, [&](std::size_t request, std::size_t, std::span<const float> logits) {
        bytes.replace(request * logits.size_bytes(), logits.size_bytes(),
                      reinterpret_cast<const char*>(logits.data()), logits.size_bytes());
      }));
  return write_file_atomic(out, bytes);
}

}  // namespace
}  // namespace llmpatch

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: next_logits MODEL.gguf PATCH|ADAPTER.gguf OUT < lines\n");
    return 2;
  }
  const auto status = llmpatch::next_logits(argv[1], argv[2], argv[3]);
  if (status.ok()) return 0;
  std::fprintf(stderr, "next_logits: %s\n", status.error().to_string().c_str());
  return 1;
}
