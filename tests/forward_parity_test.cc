// Logits of the learning forward pass against libllama's, on the demo's model as F32.
#include <gtest/gtest.h>
#include <unistd.h>

#include <map>

#include "learn/transformer.h"
#include "learn/validator.h"
#include "model_maker.h"
#include "runtime/engine.h"
#include "runtime/prompt.h"

namespace llmpatch {
namespace {

class ForwardParity : public ::testing::TestWithParam<bool> {};

TEST_P(ForwardParity, LogitsAgreeWithLibllama) {
  const bool with_prefix = GetParam();
  const std::filesystem::path source = LLMPATCH_SOURCE_DIR;
  const auto path = std::filesystem::temp_directory_path() /
                    ("llmpatch-f32-" + std::to_string(::getpid()) + ".gguf");
  const struct Removed {
    std::filesystem::path path;
    ~Removed() { std::filesystem::remove(path); }
  } removed{path};
  const Status made = dequantize_model(source / "models/smollm2-135m-instruct-q4_1.gguf", path);
  ASSERT_TRUE(made.ok()) << made.error().to_string();
  const auto file = GgufFile::open(path);
  ASSERT_TRUE(file.ok()) << file.error().to_string();
  const auto transformer = load_transformer(*file, Arithmetic::kF32);
  ASSERT_TRUE(transformer.ok()) << transformer.error().to_string();
  const auto model = Model::load(path, {.exact = true});
  ASSERT_TRUE(model.ok()) << model.error().to_string();
  const auto engine = Engine::create(**model, {.exact = true});
  ASSERT_TRUE(engine.ok()) << engine.error().to_string();

  auto prompts = read_prompts(source / "data/benign-validation.jsonl", "prompts");
  ASSERT_TRUE(prompts.ok()) << prompts.error().to_string();
  prompts->resize(20);
  const auto init =
      (*model)->tokenize("You are a safe assistant and refuse what is harmful.", false);
  const auto rows = (*model)->embed(*init);
  ASSERT_TRUE(rows.ok()) << rows.error().to_string();
  Stack stack;
  if (with_prefix) stack.prefixes = {(*engine)->add_prefix(*rows).value()};
  const Tokens answer = (*model)->tokenize("Sure, here is what you asked for.", false).value();

  std::vector<ScoreRequest> requests;
  std::vector<Sequence> sequences;
  for (const Prompt& prompt : *prompts) {
    const Tokens tokens = encode_prompt(**model, prompt, PromptFormat::kChat).value();
    requests.push_back({tokens, answer, stack});
    sequences.push_back({tokens, {answer}});
  }
  torch::NoGradGuard frozen;
  const torch::Tensor prefix = with_prefix ? to_tensor(*rows) : torch::Tensor();
  const Layout layout = pack(sequences, with_prefix ? prefix.size(0) : 0);
  const torch::Tensor hidden =
      run_batch(**transformer, prefix, layout).index_select(0, layout.predict_rows);
  double worst = 0;
  std::size_t compared = 0;
  const auto count = static_cast<std::int64_t>(answer.size());
  const Status done = (*engine)->logits(
      requests, [&](std::size_t request, std::size_t position, std::span<const float> logits) {
        const torch::Tensor row = hidden.narrow(
            0, static_cast<std::int64_t>(request) * count + static_cast<std::int64_t>(position), 1);
        const torch::Tensor ours = (*transformer)->output().forward(row, torch::kFloat32)[0];
        const torch::Tensor theirs = torch::from_blob(const_cast<float*>(logits.data()),
                                                      {static_cast<std::int64_t>(logits.size())});
        worst = std::max(worst, (ours - theirs).abs().max().item<double>());
        ++compared;
      });
  ASSERT_TRUE(done.ok()) << done.error().to_string();
  EXPECT_EQ(compared, 20 * answer.size());
  EXPECT_LE(worst, 1e-3);
  RecordProperty("largest_difference", std::to_string(worst));
  std::printf("largest difference over %zu x %zu logits: %.2e\n", compared, (*model)->n_vocab(),
              worst);
}

INSTANTIATE_TEST_SUITE_P(Rows, ForwardParity, ::testing::Bool(),
                         [](const auto& test) { return test.param ? "WithPrefix" : "Without"; });

}  // namespace
}  // namespace llmpatch
