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

// The Engine's parallel composition and a layout with a companion are the same computation: a
// longer companion, a shorter one, and none to learn beside it.
class CompanionParity : public ::testing::TestWithParam<std::pair<std::size_t, std::size_t>> {};

TEST_P(CompanionParity, LogitsAreThoseOfTheParallelComposition) {
  const auto [prefix_rows, companion_rows] = GetParam();
  const auto path = std::filesystem::temp_directory_path() /
                    ("llmpatch-companion-" + std::to_string(::getpid()) + ".gguf");
  const struct Removed {
    std::filesystem::path path;
    ~Removed() { std::filesystem::remove(path); }
  } removed{path};
  ASSERT_TRUE(tiny_model(path, {.seed = 9}).ok());
  const auto file = GgufFile::open(path);
  ASSERT_TRUE(file.ok()) << file.error().to_string();
  const auto transformer = load_transformer(*file, Arithmetic::kF32);
  ASSERT_TRUE(transformer.ok()) << transformer.error().to_string();
  const auto model = Model::load(path, {.exact = true});
  ASSERT_TRUE(model.ok()) << model.error().to_string();
  const auto engine = Engine::create(**model, {.exact = true});
  ASSERT_TRUE(engine.ok()) << engine.error().to_string();

  const auto rows_of = [&](std::size_t count, int seed) {
    torch::manual_seed(seed);
    return to_rows(torch::randn({static_cast<std::int64_t>(count), 64}) * 0.3);
  };
  const Rows prefix = rows_of(prefix_rows, 1), companion = rows_of(companion_rows, 2);
  Stack stack;
  stack.compose = Compose::kParallel;
  if (prefix.n > 0) stack.prefixes.push_back((*engine)->add_prefix(prefix).value());
  stack.prefixes.push_back((*engine)->add_prefix(companion).value());
  std::vector<ScoreRequest> requests;
  std::vector<Sequence> sequences;
  for (const char* text : {"Name a red fruit.", "Name the sea in winter.", "Go"}) {
    const Tokens prompt = (*model)->tokenize(text, false).value();
    const Tokens answer = (*model)->tokenize(" and the end", false).value();
    requests.push_back({prompt, answer, stack});
    sequences.push_back({prompt, {answer}});
  }

  torch::NoGradGuard frozen;
  const Layout layout = pack(sequences, static_cast<std::int64_t>(prefix.n), to_tensor(companion));
  const torch::Tensor learned = prefix.n > 0 ? to_tensor(prefix) : torch::Tensor();
  const torch::Tensor hidden =
      run_batch(**transformer, learned, layout).index_select(0, layout.predict_rows);
  const torch::Tensor ours = (*transformer)->output().forward(hidden, torch::kFloat32);
  double worst = 0, largest = 0;
  std::int64_t compared = 0;
  const Status done =
      (*engine)->logits(requests, [&](std::size_t, std::size_t, std::span<const float> logits) {
        const torch::Tensor theirs = torch::from_blob(const_cast<float*>(logits.data()),
                                                      {static_cast<std::int64_t>(logits.size())});
        worst = std::max(worst, (ours[compared++] - theirs).abs().max().item<double>());
        largest = std::max(largest, theirs.abs().max().item<double>());
      });
  ASSERT_TRUE(done.ok()) << done.error().to_string();
  EXPECT_EQ(compared, hidden.size(0));
  EXPECT_GT(largest, 1);  // logits that a wrong mask or position would move by far more
  EXPECT_LE(worst, 1e-3);
  RecordProperty("largest_difference", std::to_string(worst));
  std::printf("largest difference: %.2e of logits up to %.1f\n", worst, largest);
}

INSTANTIATE_TEST_SUITE_P(Rows, CompanionParity,
                         ::testing::Values(std::pair(5, 9), std::pair(9, 5), std::pair(7, 7),
                                           std::pair(0, 6)));

INSTANTIATE_TEST_SUITE_P(Rows, ForwardParity, ::testing::Bool(),
                         [](const auto& test) { return test.param ? "WithPrefix" : "Without"; });

}  // namespace
}  // namespace llmpatch
