// Low-rank updates in the learning forward pass: gradients against central differences in f64, and
// logits against libllama's, with the adapter loaded and with it merged.
#include "learn/lora.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/sha256.h"
#include "gguf/merge.h"
#include "learn/losses.h"
#include "learn/output.h"
#include "learn/transformer.h"
#include "model_maker.h"
#include "runtime/engine.h"
#include "runtime/prompt.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kAllTargets = {"q", "k", "v", "o", "gate", "up", "down"};

// A folder that is gone when it goes.
struct Folder {
  fs::path path = fs::temp_directory_path() / ("llmpatch-lora-" + std::to_string(::getpid()));
  Folder() { fs::create_directories(path); }
  ~Folder() { fs::remove_all(path); }
};

LoraLayout layout_of(const GgufFile& file, std::int64_t rank) {
  auto matrices = find_target_matrices(file, kAllTargets, rank);
  EXPECT_TRUE(matrices.ok()) << matrices.error().to_string();
  return {std::move(matrices).value(), rank, 2 * static_cast<double>(rank)};
}

class TinyLora : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(tiny_model(folder_.path / "tiny.gguf", {.seed = 3}).ok());
    auto file = GgufFile::open(folder_.path / "tiny.gguf");
    ASSERT_TRUE(file.ok()) << file.error().to_string();
    file_ = std::make_unique<GgufFile>(std::move(file).value());
  }
  std::unique_ptr<Transformer> load(Arithmetic arithmetic) const {
    auto model = load_transformer(*file_, arithmetic);
    EXPECT_TRUE(model.ok()) << model.error().to_string();
    return std::move(model).value();
  }

  // SFT on the first answer, preference of it to the second, and staying as the base model is.
  torch::Tensor loss(const Transformer& model, const Adaptation& adaptation) const {
    const torch::Tensor hidden =
        run_batch(model, adaptation, packed_).index_select(0, packed_.predict_rows);
    const torch::Tensor tokens = token_logprobs(hidden, model.output(), packed_.targets);
    const torch::Tensor sums =
        sum_by_answer(tokens, packed_.answer_ids, packed_.answers).view({-1, 2});
    torch::Tensor base;
    {
      torch::NoGradGuard frozen;
      base = run_batch(model, {}, packed_).index_select(0, packed_.predict_rows);
    }
    const torch::Tensor reference = torch::full({2}, -12.0, tokens.options());
    return sft_loss(tokens, torch::ones_like(tokens)) +
           dpo_loss(sums.select(1, 0), sums.select(1, 1), reference, reference, 0.5).loss +
           token_divergence(base, hidden, model.output()).mean();
  }

  Folder folder_;
  std::unique_ptr<GgufFile> file_;
  const Layout packed_ = pack({{{1, 5, 9, 20, 33}, {{7, 8, 30}, {11, 12, 13, 14}}},
                               {{1, 5, 9, 41}, {{7, 8, 30, 2}, {60, 61}}}},
                              0);  // outlives every backward pass
};

TEST_F(TinyLora, GradientsAgreeWithCentralDifferencesInF64) {
  const auto model = load(Arithmetic::kF64);
  const LoraLayout layout = layout_of(*file_, 3);
  torch::manual_seed(5);
  const torch::Tensor start = torch::randn({1, layout.size()}, torch::kDouble) * 0.1;
  torch::Tensor learned = start.clone().requires_grad_(true);
  loss(*model, layout.adapt(learned)).backward();
  torch::NoGradGuard frozen;
  const double step = 1e-5;
  double worst = 0;
  std::int64_t checked = 0, place = 0;
  // The first and the last number of both factors of every matrix.
  for (const TargetMatrix& matrix : layout.matrices()) {
    for (const std::int64_t size : {3 * matrix.inputs, 3 * matrix.outputs}) {
      for (const std::int64_t at : {place, place + size - 1}) {
        torch::Tensor up = start.clone(), down = start.clone();
        up[0][at] += step;
        down[0][at] -= step;
        const double difference =
            (loss(*model, layout.adapt(up)) - loss(*model, layout.adapt(down))).item<double>() /
            (2 * step);
        const double found = learned.grad()[0][at].item<double>();
        // Differences of losses around 10 are exact to about 1e-10: of smaller gradients nothing
        // relative can be said.
        worst =
            std::max(worst, std::abs(found - difference) / std::max(std::abs(difference), 1e-4));
        checked += std::abs(found) > 1e-6 ? 1 : 0;
      }
      place += size;
    }
  }
  EXPECT_EQ(place, layout.size());
  EXPECT_LE(worst, 1e-5);
  EXPECT_GE(checked, 2 * 7 * 4 * 9 / 10) << "gradients too small to compare prove nothing";
}

TEST_F(TinyLora, BeginsAsTheBaseModel) {
  const LoraLayout layout = layout_of(*file_, 4);
  torch::NoGradGuard frozen;
  for (const Arithmetic arithmetic : {Arithmetic::kF32, Arithmetic::kBf16, Arithmetic::kInt8}) {
    const auto model = load(arithmetic);
    const torch::Tensor base = run_batch(*model, {}, packed_);
    const torch::Tensor same = run_batch(*model, layout.adapt(layout.initial(1)), packed_);
    EXPECT_TRUE(torch::equal(base, same)) << name_of(arithmetic);
  }
}

TEST_F(TinyLora, UpdatesOfSomeMatricesActAlone) {
  // q and gate, each the first of several in one product; the others stay.
  auto matrices = find_target_matrices(*file_, {"q", "gate"}, 4);
  const LoraLayout some(std::move(matrices).value(), 4, 8);
  const LoraLayout all = layout_of(*file_, 4);
  torch::manual_seed(6);
  const torch::Tensor learned = torch::randn({1, some.size()}) * 0.1;
  const Adaptation few = some.adapt(learned);
  Adaptation many = all.adapt(torch::zeros({1, all.size()}));
  for (const auto& [name, update] : few.updates.of) many.updates.of[name] = update;
  torch::NoGradGuard frozen;
  const auto model = load(Arithmetic::kF32);
  const torch::Tensor found = run_batch(*model, few, packed_);
  EXPECT_TRUE(torch::equal(found, run_batch(*model, many, packed_)));
  EXPECT_GT((found - run_batch(*model, {}, packed_)).abs().max().item<double>(), 0.1);
}

TEST_F(TinyLora, Bf16FollowsF32) {
  const LoraLayout layout = layout_of(*file_, 4);
  torch::manual_seed(7);
  const torch::Tensor learned = torch::randn({1, layout.size()}) * 0.1;
  const auto gradient = [&](Arithmetic arithmetic) {
    const auto model = load(arithmetic);
    torch::Tensor moving = learned.clone().requires_grad_(true);
    loss(*model, layout.adapt(moving)).backward();
    return moving.grad();
  };
  const torch::Tensor exact = gradient(Arithmetic::kF32), rounded = gradient(Arithmetic::kBf16);
  // bf16 keeps 8 bits, 0.4 % of each number; two layers and their backward pass add up to some
  // times that.
  EXPECT_LE((exact - rounded).norm().item<double>() / exact.norm().item<double>(), 0.05);
}

// What a transformer and an engine say of the same tokens.
class LoraParity : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new Folder;
    const fs::path source = LLMPATCH_SOURCE_DIR;
    f32_ = folder_->path / "f32.gguf";
    const Status made = dequantize_model(source / "models/smollm2-135m-instruct-q4_1.gguf", f32_);
    ASSERT_TRUE(made.ok()) << made.error().to_string();
  }
  static void TearDownTestSuite() { delete folder_; }

  void compare(const fs::path& model_path, const Adapters& adapters) {
    const auto model = Model::load(model_path, {.exact = true});
    ASSERT_TRUE(model.ok()) << model.error().to_string();
    EngineOptions options;
    options.exact = true;
    options.adapters = adapters;
    const auto engine = Engine::create(**model, options);
    ASSERT_TRUE(engine.ok()) << engine.error().to_string();
    const auto file = GgufFile::open(f32_);
    const auto transformer = load_transformer(*file, Arithmetic::kF32);
    ASSERT_TRUE(transformer.ok()) << transformer.error().to_string();
    const LoraLayout layout = layout_of(*file, 8);

    auto prompts =
        read_prompts(fs::path(LLMPATCH_SOURCE_DIR) / "data/benign-validation.jsonl", "prompts");
    ASSERT_TRUE(prompts.ok()) << prompts.error().to_string();
    prompts->resize(6);
    const Tokens answer = (*model)->tokenize("Sure, here is what you asked for.", false).value();
    std::vector<ScoreRequest> requests;
    std::vector<Sequence> sequences;
    for (const Prompt& prompt : *prompts) {
      const Tokens tokens = encode_prompt(**model, prompt, PromptFormat::kChat).value();
      requests.push_back({tokens, answer, {}});
      sequences.push_back({tokens, {answer}});
    }
    torch::NoGradGuard frozen;
    const Layout packed = pack(sequences, 0);
    const auto logits = [&](const Adaptation& adaptation) {
      return (*transformer)
          ->output()
          .forward(
              run_batch(**transformer, adaptation, packed).index_select(0, packed.predict_rows),
              torch::kFloat32);
    };
    const torch::Tensor ours = logits(layout.adapt(learned(layout)));
    // Enough that an adapter that is not there would show.
    EXPECT_GT((ours - logits({})).abs().max().item<double>(), 0.5);
    double worst = 0;
    std::size_t compared = 0;
    const Status done = (*engine)->logits(
        requests, [&](std::size_t request, std::size_t position, std::span<const float> row) {
          const auto place = static_cast<std::int64_t>(request * answer.size() + position);
          const torch::Tensor theirs = torch::from_blob(const_cast<float*>(row.data()),
                                                        {static_cast<std::int64_t>(row.size())});
          worst = std::max(worst, (ours[place] - theirs).abs().max().item<double>());
          ++compared;
        });
    ASSERT_TRUE(done.ok()) << done.error().to_string();
    EXPECT_EQ(compared, 6 * answer.size());
    EXPECT_LE(worst, 1e-3);
    std::printf("largest difference over %zu x %zu logits: %.2e\n", compared, (*model)->n_vocab(),
                worst);
  }

  // Factors that change logits, not what the model can say.
  static torch::Tensor learned(const LoraLayout& layout) {
    torch::manual_seed(11);
    return torch::randn({1, layout.size()}) * 0.02;
  }
  static Lora adapter() {
    const auto file = GgufFile::open(f32_);
    const LoraLayout layout = layout_of(*file, 8);
    return layout.to_lora(learned(layout), "llama");
  }

  static Folder* folder_;
  static fs::path f32_;
};
Folder* LoraParity::folder_ = nullptr;
fs::path LoraParity::f32_;

TEST_F(LoraParity, LogitsAgreeWithLibllamaUnderTheAdapter) {
  const fs::path path = folder_->path / "adapter.gguf";
  ASSERT_TRUE(write_file_atomic(path, lora_to_gguf(adapter())).ok());
  Adapters adapters;
  adapters.lora = {{path, 1}};
  compare(f32_, adapters);
}

TEST_F(LoraParity, LogitsAgreeWithLibllamaOnTheMergedModel) {
  const fs::path merged = folder_->path / "merged.gguf";
  const auto file = GgufFile::open(f32_);
  const Status done =
      merge_lora(*file, adapter(), sha256_hex("adapter"), MergedType::kF32, merged, Overwrite::kNo);
  ASSERT_TRUE(done.ok()) << done.error().to_string();
  compare(merged, {});
}

}  // namespace
}  // namespace llmpatch
