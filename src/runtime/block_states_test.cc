#include "runtime/block_states.h"

#include <cmath>

#include "gguf/dequantize.h"
#include "gguf/gguf_file.h"
#include "runtime/test_adapters.h"
#include "runtime/test_models.h"

namespace llmpatch {
namespace {

constexpr std::size_t kWidth = 64, kBlocks = 3;  // of the tiny model
// Of states of about 1, in f32, whose sums run in another order.
constexpr float kRounding = 1e-4F;

BlockStates states_of(const Model& model, const Tokens& prompt, const Tokens& answer) {
  auto reader = BlockReader::create(model, 64, 1, true);
  EXPECT_TRUE(reader.ok());
  auto states = (*reader)->mean(prompt, answer);
  EXPECT_TRUE(states.ok()) << states.error().to_string();
  return std::move(states).value();
}

std::vector<float> tensor_of(const Model& model, const char* name) {
  const GgufTensor& tensor = *model.file().find(name);
  std::vector<float> values(tensor.elements());
  EXPECT_TRUE(dequantize_rows(tensor, 0, tensor.rows(), values).ok());
  return values;
}

TEST(BlockReaderTest, TheLastBlockGivesTheLogits) {
  const Tokens prompt = letters(5), answer{letters(1, 7)};
  const BlockStates states = states_of(tiny_model(), prompt, answer);
  ASSERT_EQ(states.blocks, kBlocks);
  ASSERT_EQ(states.width, kWidth);

  // By hand: the final norm and the (tied) output layer on the last block's states.
  const std::span<const float> last = states.of(kBlocks - 1);
  double square = 0;
  for (const float value : last) square += double{value} * value;
  const double scale = 1 / std::sqrt(square / kWidth + 1e-5);
  const std::vector<float> norm = tensor_of(tiny_model(), "output_norm.weight");
  const std::vector<float> table = tensor_of(tiny_model(), "token_embd.weight");

  EngineOptions exact;
  exact.exact = true;
  const auto engine = make_engine(tiny_model(), exact);
  ScoreRequest request{prompt, {answer[0], 260}, {}};  // the logits that predict what follows
  std::vector<float> logits;
  ASSERT_TRUE(engine
                  ->logits(std::span(&request, 1),
                           [&](auto, std::size_t position, std::span<const float> row) {
                             if (position == 1) logits.assign(row.begin(), row.end());
                           })
                  .ok());
  for (std::size_t token = 0; token < logits.size(); ++token) {
    double logit = 0;
    for (std::size_t i = 0; i < kWidth; ++i) {
      logit += table[token * kWidth + i] * (last[i] * scale * norm[i]);
    }
    EXPECT_NEAR(logit, logits[token], kRounding);
  }
}

TEST(BlockReaderTest, EachBlockIsWhereItIsSaidToBe) {
  const std::vector<float> bias = some_numbers(kWidth, 3, 0.5F);
  GgufTestFile file = tiny_model_file();
  file.floats("blk.1.ffn_down.bias", {kWidth}, bias);
  const auto biased = load_bytes(file.bytes());
  ASSERT_TRUE(biased.ok());
  const BlockStates before = states_of(tiny_model(), letters(5), letters(2, 7));
  const BlockStates after = states_of(**biased, letters(5), letters(2, 7));
  float changed = 0;
  for (std::size_t i = 0; i < kWidth; ++i) {
    EXPECT_NEAR(after.of(0)[i], before.of(0)[i], kRounding);
    EXPECT_NEAR(after.of(1)[i], before.of(1)[i] + bias[i], kRounding);
    changed = std::max(changed, std::abs(after.of(2)[i] - before.of(2)[i] - bias[i]));
  }
  EXPECT_GT(changed, 0.01F);  // the block after it sees the change
}

TEST(BlockReaderTest, IsTheMeanOverTheAnswersTokens) {
  // Of two tokens: the mean of what each has behind those before it.
  Tokens longer = letters(5);
  const Tokens answer = letters(2, 7);
  const BlockStates first = states_of(tiny_model(), longer, {answer[0]});
  longer.push_back(answer[0]);
  const BlockStates second = states_of(tiny_model(), longer, {answer[1]});
  const BlockStates both = states_of(tiny_model(), letters(5), answer);
  for (std::size_t i = 0; i < both.values.size(); ++i) {
    EXPECT_NEAR(both.values[i], (first.values[i] + second.values[i]) / 2, kRounding);
  }
}

TEST(BlockReaderTest, RefusesWhatItHasNoRoomFor) {
  const auto reader = BlockReader::create(tiny_model(), 8, 1, true);
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ((*reader)->mean(letters(8), letters(1)).error().kind, ErrorKind::kLimit);
  EXPECT_EQ((*reader)->mean(letters(8), {}).error().kind, ErrorKind::kInvalidArgument);
  EXPECT_TRUE((*reader)->mean(letters(7), letters(1)).ok());
}

}  // namespace
}  // namespace llmpatch
