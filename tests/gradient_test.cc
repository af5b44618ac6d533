// Losses and gradients of the packed, prefix-sharing forward pass: against central differences in
// f64, and against stock LibTorch autograd without any sharing.
#include <gtest/gtest.h>
#include <unistd.h>

#include "learn/adam.h"
#include "learn/losses.h"
#include "learn/output.h"
#include "learn/transformer.h"
#include "model_maker.h"
#include "plain_llama.h"

namespace llmpatch {
namespace {

// Prompts share an opening, one does not; answers of several lengths.
const std::vector<Sequence> kPairs{
    {{1, 5, 9, 20, 33}, {{7, 8, 30}, {11, 12, 13, 14}}},
    {{1, 5, 9, 41}, {{7, 8, 30, 2}, {60, 61}}},
    {{77, 78}, {{9}, {10, 3}}},
    {{1, 5, 9, 20, 50, 51, 52}, {{100, 101}, {102, 103, 104, 105, 106}}},
};

class Gradient : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = std::filesystem::temp_directory_path() /
            ("llmpatch-gradient-" + std::to_string(::getpid()) + ".gguf");
    ASSERT_TRUE(tiny_model(path_, {.seed = 3}).ok());
    auto file = GgufFile::open(path_);
    ASSERT_TRUE(file.ok()) << file.error().to_string();
    file_ = std::make_unique<GgufFile>(std::move(file).value());
    torch::manual_seed(5);
    rows_ = torch::randn({6, 64}, torch::kDouble) * 0.3;
    reference_ =
        torch::tensor({-10.0, -14.0, -16.0, -9.0, -4.0, -9.0, -9.0, -25.0}, torch::kDouble);
  }
  void TearDown() override { std::filesystem::remove(path_); }

  // Where each answer begins among the answer tokens.
  static torch::Tensor first_tokens(const Layout& layout) {
    const torch::Tensor before =
        torch::cat({torch::tensor({-1}, torch::kLong), layout.answer_ids.slice(0, 0, -1)});
    return torch::nonzero(layout.answer_ids != before).squeeze(1);
  }

  // SFT on the chosen answers plus DPO plus unlikelihood of first tokens and of whole answers plus
  // what margins make likely plus KL to the base model: all that a step can contain.
  torch::Tensor packed_loss(const Transformer& model, const torch::Tensor& rows) const {
    return packed_loss(model, rows, packed_);
  }
  torch::Tensor packed_loss(const Transformer& model, const torch::Tensor& rows,
                            const Layout& layout) const {
    const torch::Tensor hidden =
        run_batch(model, rows, layout).index_select(0, layout.predict_rows);
    const torch::Tensor tokens = token_logprobs(hidden, model.output(), layout.targets);
    const torch::Tensor sums =
        sum_by_answer(tokens, layout.answer_ids, layout.answers).view({-1, 2});
    const torch::Tensor reference = reference_.to(tokens.scalar_type()).view({-1, 2});
    const Layout bare = pack(kPairs, 0, layout.companion);
    torch::Tensor base;
    {
      torch::NoGradGuard frozen;
      base = run_batch(model, {}, bare).index_select(0, bare.predict_rows);
    }
    const auto even = [](const torch::Tensor& values) { return torch::ones_like(values); };
    const torch::Tensor firsts = tokens.index_select(0, first_tokens(layout)).exp();
    const torch::Tensor wholes = sums.flatten().exp();
    return sft_loss(tokens, even(tokens)) +
           dpo_loss(sums.select(1, 0), sums.select(1, 1), reference.select(1, 0),
                    reference.select(1, 1), 0.5)
               .loss +
           unlikelihood_loss(firsts, even(firsts)) + unlikelihood_loss(wholes, even(wholes)) -
           torch::log_sigmoid(token_margins(hidden, model.output(), layout.targets)).mean() +
           token_divergence(base, hidden, model.output()).mean();
  }

  // The same from texts one at a time, in stock operators.
  torch::Tensor plain_loss(const PlainLlama& model, const torch::Tensor& rows) const {
    std::vector<torch::Tensor> tokens, sums, unlikely, unlikely_wholes, taken, divergences;
    for (const Sequence& sequence : kPairs) {
      for (const Tokens& answer : sequence.answers) {
        tokens.push_back(model.token_logprobs(rows, sequence.prompt, answer));
        sums.push_back(tokens.back().sum());
        unlikely.push_back(-torch::log(1 - tokens.back()[0].exp()));
        unlikely_wholes.push_back(-torch::log(1 - sums.back().exp()));
        std::vector<std::int64_t> all(sequence.prompt.begin(), sequence.prompt.end());
        all.insert(all.end(), answer.begin(), answer.end());
        const auto count = static_cast<std::int64_t>(answer.size());
        const auto distribution = [&](const torch::Tensor& prefix) {
          const torch::Tensor logits = model.forward(
              prefix.defined() ? torch::cat({prefix, embed(model, all)}) : embed(model, all));
          return torch::log_softmax(logits.narrow(0, logits.size(0) - count - 1, count), -1);
        };
        const torch::Tensor base = distribution({}).detach(), patched = distribution(rows);
        divergences.push_back((base.exp() * (base - patched)).sum(-1));
        for (std::int64_t i = 0; i < count; ++i) {
          const auto token = static_cast<std::int64_t>(answer[static_cast<std::size_t>(i)]);
          const torch::Tensor row = patched[i];
          const torch::Tensor others = torch::cat({row.slice(0, 0, token), row.slice(0, token + 1)});
          taken.push_back(torch::log_sigmoid(row[token] - (4 * others).exp().sum().log() / 4));
        }
      }
    }
    const torch::Tensor margins =
        (torch::stack(sums).view({-1, 2}) - reference_.to(rows.scalar_type()).view({-1, 2}));
    const torch::Tensor logits = 0.5 * (margins.select(1, 0) - margins.select(1, 1));
    return -torch::cat(tokens).mean() + torch::softplus(-logits).mean() +
           torch::stack(unlikely).mean() + torch::stack(unlikely_wholes).mean() -
           torch::stack(taken).mean() +
           torch::cat(divergences).mean();
  }
  torch::Tensor embed(const PlainLlama& model, const std::vector<std::int64_t>& ids) const {
    return WeightReader(*file_, torch::kFloat32)
        .matrix("token_embd.weight", model.vocabulary(), model.width())
        .value()
        .index_select(0, torch::tensor(ids, torch::kLong));
  }

  std::filesystem::path path_;
  std::unique_ptr<GgufFile> file_;
  const Layout packed_ = pack(kPairs, 6);  // outlives every backward pass
  const Layout beside_ =
      pack(kPairs, 6, torch::sin(torch::arange(9 * 64, torch::kDouble)).view({9, 64}) * 0.4);
  torch::Tensor rows_, reference_;
};

// Alone, and beside a companion.
class GradientInF64 : public Gradient, public ::testing::WithParamInterface<bool> {};

INSTANTIATE_TEST_SUITE_P(Companion, GradientInF64, ::testing::Bool(),
                         [](const auto& test) { return test.param ? "Beside" : "Alone"; });

TEST_P(GradientInF64, AgreesWithCentralDifferences) {
  const auto model = load_transformer(*file_, Arithmetic::kF64);
  ASSERT_TRUE(model.ok()) << model.error().to_string();
  const Layout& layout = GetParam() ? beside_ : packed_;
  torch::Tensor rows = rows_.clone().requires_grad_(true);
  packed_loss(**model, rows, layout).backward();
  const torch::Tensor gradient = rows.grad();
  torch::NoGradGuard frozen;
  const double step = 1e-5;
  double worst = 0;
  for (const auto& [row, column] :
       {std::pair{0, 0}, {0, 63}, {1, 17}, {2, 40}, {3, 5}, {5, 31}, {5, 62}}) {
    torch::Tensor up = rows_.clone(), down = rows_.clone();
    up[row][column] += step;
    down[row][column] -= step;
    const double difference =
        (packed_loss(**model, up, layout) - packed_loss(**model, down, layout)).item<double>() /
        (2 * step);
    const double found = gradient[row][column].item<double>();
    worst = std::max(worst, std::abs(found - difference) / std::max(std::abs(difference), 1e-4));
  }
  EXPECT_LE(worst, 1e-5);
}

TEST_F(Gradient, AgreesWithStockOperatorsWithoutSharing) {
  const auto model = load_transformer(*file_, Arithmetic::kF32);
  ASSERT_TRUE(model.ok()) << model.error().to_string();
  const PlainLlama plain(*file_, torch::kFloat32);
  torch::Tensor rows = rows_.to(torch::kFloat32).requires_grad_(true);
  const torch::Tensor loss = packed_loss(**model, rows);
  loss.backward();
  torch::Tensor same = rows_.to(torch::kFloat32).requires_grad_(true);
  const torch::Tensor expected = plain_loss(plain, same);
  expected.backward();
  EXPECT_NEAR(loss.item<double>(), expected.item<double>(),
              1e-5 * std::abs(expected.item<double>()));
  const double error =
      (rows.grad() - same.grad()).norm().item<double>() / same.grad().norm().item<double>();
  EXPECT_LE(error, 1e-5);
}

TEST_F(Gradient, TenStepsOfAdamAgreeWithStockOnes) {
  const auto model = load_transformer(*file_, Arithmetic::kF32);
  ASSERT_TRUE(model.ok()) << model.error().to_string();
  const PlainLlama plain(*file_, torch::kFloat32);
  torch::Tensor rows = rows_.to(torch::kFloat32).clone();
  torch::Tensor same = rows_.to(torch::kFloat32).clone().requires_grad_(true);
  Adam ours;
  torch::optim::Adam stock({same}, torch::optim::AdamOptions(1e-3).betas({0.9, 0.98}));
  for (int step = 0; step < 10; ++step) {
    torch::Tensor leaf = rows.clone().requires_grad_(true);
    const torch::Tensor loss = packed_loss(**model, leaf);
    loss.backward();
    ours.update(rows, leaf.grad(), 1e-3);
    stock.zero_grad();
    const torch::Tensor expected = plain_loss(plain, same);
    expected.backward();
    torch::nn::utils::clip_grad_norm_({same}, 1.0);
    stock.step();
    EXPECT_NEAR(loss.item<double>(), expected.item<double>(), 1e-4) << "step " << step;
  }
  EXPECT_LE((rows - same).abs().max().item<double>(), 1e-4);  // ten steps of up to 1e-3 each
  EXPECT_GE((rows - rows_.to(torch::kFloat32)).abs().max().item<double>(), 5e-3);
}

TEST_F(Gradient, ReferenceOfTheSameRowsGivesNoMargin) {
  const auto model = load_transformer(*file_, Arithmetic::kF32);
  ASSERT_TRUE(model.ok()) << model.error().to_string();
  torch::NoGradGuard frozen;
  const torch::Tensor rows = rows_.to(torch::kFloat32);
  const auto sums = [&](const std::vector<Sequence>& sequences) {
    const Layout layout = pack(sequences, rows.size(0));
    const torch::Tensor hidden =
        run_batch(**model, rows, layout).index_select(0, layout.predict_rows);
    return sum_by_answer(token_logprobs(hidden, (*model)->output(), layout.targets),
                         layout.answer_ids, layout.answers)
        .view({-1, 2});
  };
  const torch::Tensor reference = sums(kPairs);
  // The policy sees the pairs in another packing.
  const std::vector<Sequence> reversed(kPairs.rbegin(), kPairs.rend());
  const torch::Tensor policy = sums(reversed).flip(0);
  const DpoResult found = dpo_loss(policy.select(1, 0), policy.select(1, 1), reference.select(1, 0),
                                   reference.select(1, 1), 0.1);
  EXPECT_LE((found.chosen - found.rejected).abs().max().item<double>(), 1e-4);
  EXPECT_NEAR(found.loss.item<double>(), std::log(2.0), 1e-4);
}

}  // namespace
}  // namespace llmpatch
