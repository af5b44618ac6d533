#include "learn/step.h"

#include <gtest/gtest.h>

namespace llmpatch {
namespace {

class StepOfSeveralRisks : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.unlikelihood_weight = 1;
    pairs_ = {{{1, 5}, {90, 8}, {}}, {{1, 6}, {91, 8}, {}}, {{1, 7}, {92, 8}, {}}};
    retained_.resize(4, {{1, 9}, {7, 8}, torch::zeros({2, 4})});
    corrections_ = {{{1, 3}, {44}, {70, 71, 72, 73}}};
  }
  Step made() {
    StepExamples examples;
    for (const Pair& pair : pairs_) examples.harmful.emplace_back(&pair);
    for (const Pair& pair : corrections_) examples.corrections.emplace_back(&pair);
    for (const Retained& text : retained_) examples.retained.emplace_back(&text);
    return make_step(options_, examples, 3);
  }
  StageOptions options_;
  std::vector<Pair> pairs_, corrections_;
  std::vector<Retained> retained_;
};

TEST_F(StepOfSeveralRisks, KeepsBenignAnswersFromBeginningAsRefusalsDo) {
  EXPECT_EQ(made().refused_tokens, (std::vector<std::int64_t>{90, 91, 92, 90, 91}));
  pairs_[1].refuses = false;  // an ordinary text, whose first word is nothing to keep from
  const Step step = made();
  EXPECT_EQ(step.refused_tokens, (std::vector<std::int64_t>{90, 92, 90, 92, 90}));
  EXPECT_EQ(step.chosen.count_answers(), 3);
  EXPECT_EQ(step.unwanted.count_answers(),
            5);  // the correction's refusal, with every benign prompt
}

TEST_F(StepOfSeveralRisks, HasNoUnlikelihoodWithoutARefusal) {
  for (Pair& pair : pairs_) pair.refuses = false;
  const Step step = made();
  EXPECT_TRUE(step.refused_tokens.empty());
  EXPECT_TRUE(step.benign_first_tokens.empty());
  EXPECT_TRUE(step.benign_weights.empty());
  EXPECT_EQ(step.unwanted.count_answers(), 0);
  EXPECT_EQ(step.retained.count_answers(), 4);
}

}  // namespace
}  // namespace llmpatch
