#include "learn/steering.h"

#include <cmath>

#include "runtime/test_adapters.h"
#include "runtime/test_models.h"

namespace llmpatch {
namespace {

constexpr std::size_t kWidth = 64;  // of the tiny model
// Of states of about 1, in f32.
constexpr double kRounding = 1e-4;

// Three pairs of different lengths, and one without a rejected answer.
std::vector<Pair> some_pairs() {
  std::vector<Pair> pairs(4);
  pairs[0] = {letters(5), letters(2, 3), letters(4, 9)};
  pairs[1] = {letters(3, 1), letters(2, 3), letters(1, 4)};
  pairs[2] = {letters(7, 2), letters(3, 8), letters(2, 6)};
  pairs[3] = {letters(4), letters(2, 3), {}};
  return pairs;
}

BlockStates difference_of(std::span<const Pair> pairs) {
  auto difference = mean_difference(tiny_model(), pairs, 1, true, nullptr, {});
  EXPECT_TRUE(difference.ok()) << difference.error().to_string();
  return std::move(difference).value();
}

TEST(MeanDifference, IsThatOfTheStatesPairByPair) {
  const std::vector<Pair> pairs = some_pairs();
  const BlockStates found = difference_of(pairs);
  ASSERT_EQ(found.blocks, 3u);
  // By hand, one answer token after the other (block_states_test.cc holds what a state is).
  const auto reader = BlockReader::create(tiny_model(), 32, 1, true);
  ASSERT_TRUE(reader.ok());
  std::vector<double> wanted(3 * kWidth);
  for (std::size_t i = 0; i < 3; ++i) {
    const auto add = [&](const Tokens& answer, double sign) {
      Tokens before = pairs[i].prompt;
      for (const Token token : answer) {
        const auto states = (*reader)->mean(before, {token});
        ASSERT_TRUE(states.ok());
        for (std::size_t j = 0; j < wanted.size(); ++j) {
          wanted[j] += sign * states->values[j] / (3.0 * static_cast<double>(answer.size()));
        }
        before.push_back(token);
      }
    };
    add(pairs[i].chosen, 1);
    add(pairs[i].rejected, -1);
  }
  double largest = 0;
  for (std::size_t j = 0; j < wanted.size(); ++j) {
    EXPECT_NEAR(found.values[j], wanted[j], kRounding);
    largest = std::max(largest, std::abs(wanted[j]));
  }
  EXPECT_GT(largest, 0.05);
}

TEST(MeanDifference, NeedsAPairOfTwoAnswers) {
  const std::vector<Pair> pairs = some_pairs();
  const auto none =
      mean_difference(tiny_model(), std::span(pairs).subspan(3), 1, true, nullptr, {});
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().kind, ErrorKind::kUnmet);
  CancelFlag cancel;
  cancel.raise();
  const auto stopped = mean_difference(tiny_model(), pairs, 1, true, &cancel, {});
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(stopped.error().kind, ErrorKind::kCancelled);
}

std::vector<float> logits_of(const Model& model, const Adapters& adapters) {
  EngineOptions options;
  options.exact = true;
  options.threads = 1;
  options.adapters = adapters;
  const auto engine = make_engine(model, options);
  std::vector<float> logits;
  const ScoreRequest request{letters(6), letters(3, 9), {}};
  const Status status = engine->logits(std::span(&request, 1), [&](auto, auto, auto row) {
    logits.insert(logits.end(), row.begin(), row.end());
  });
  EXPECT_TRUE(status.ok()) << status.error().to_string();
  return logits;
}

TEST(ControlVectorBytes, AreWhatAnEngineSteersBy) {
  const BlockStates difference = difference_of(some_pairs());
  SteeringFile file;
  file.name = "steering";
  file.architecture = "llama";
  file.blocks = difference.blocks;
  file.block = 1;
  file.direction.assign(difference.of(1).begin(), difference.of(1).end());
  file.learned = "{}";
  const TemporaryFile written(control_vector_bytes(file));

  // The same as a bias of what the block adds last.
  GgufTestFile biased = tiny_model_file();
  std::vector<float> bias = file.direction;
  for (float& value : bias) value *= 3;
  biased.floats("blk.1.ffn_down.bias", {kWidth}, bias);
  const auto model = load_bytes(biased.bytes());
  ASSERT_TRUE(model.ok());
  const std::vector<float> wanted = logits_of(**model, {});
  const std::vector<float> steered =
      logits_of(tiny_model(), {{}, ControlVector{written.path(), 3, 0, 0}});
  const std::vector<float> base = logits_of(tiny_model(), {});
  double apart = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    EXPECT_NEAR(steered[i], wanted[i], kRounding);
    apart = std::max(apart, std::abs(double{base[i]} - steered[i]));
  }
  EXPECT_GT(apart, 0.05);
  EXPECT_EQ(logits_of(tiny_model(), {{}, ControlVector{written.path(), 0, 0, 0}}), base);
}

}  // namespace
}  // namespace llmpatch
