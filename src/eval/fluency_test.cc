#include "eval/fluency.h"

#include <gtest/gtest.h>

namespace llmpatch {
namespace {

TEST(TrigramOverlap, ByHand) {
  // {abc, bcd} and {bcd, cde}: one of three shared.
  EXPECT_NEAR(trigram_overlap(std::vector<std::string>{"a b c d", "b c D e"}), 1.0 / 3, 1e-15);
  EXPECT_EQ(trigram_overlap(std::vector<std::string>{"a b c", " A\tb\nc "}), 1);
  // Three pairs: 1, 0 and 0.
  EXPECT_NEAR(trigram_overlap(std::vector<std::string>{"a b c", "a b c", "x y z"}), 1.0 / 3, 1e-15);
  EXPECT_EQ(trigram_overlap(std::vector<std::string>{"a b", "a b"}), 0);  // no trigram
  EXPECT_EQ(trigram_overlap(std::vector<std::string>{"a b c"}), 0);
}

TEST(TextFluency, PerPrompt) {
  const auto answer = [](const std::string& text, std::size_t tokens) {
    Answer made;
    made.text = text;
    made.tokens.assign(tokens, 1);
    return made;
  };
  std::vector<Answer> answers{answer("a b c", 3), answer("a b c", 5), answer("a b c", 1),
                              answer("x y z", 1)};
  answers[0].degeneration = Degeneration::kRepetition;
  const auto metrics = text_fluency(answers, 2, "2");
  ASSERT_EQ(metrics.size(), 4u);
  EXPECT_EQ(metrics[0].name, "degenerate@2");
  EXPECT_EQ(metrics[0].values, (std::vector<double>{.5, 0}));
  EXPECT_EQ(metrics[1].name, "tokens@2");
  EXPECT_EQ(metrics[1].values, (std::vector<double>{4, 1}));
  EXPECT_EQ(metrics[3].name, "trigram_overlap@2");
  EXPECT_EQ(metrics[3].values, (std::vector<double>{1, 0}));
  EXPECT_EQ(text_fluency(answers, 1, "greedy").size(), 3u);
}

}  // namespace
}  // namespace llmpatch
