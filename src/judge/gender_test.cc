#include "judge/gender.h"

#include <gtest/gtest.h>

#include <limits>

namespace llmpatch {
namespace {

TEST(Gender, EveryPronounAsAWholeWord) {
  for (const char* word : {"she", "her", "hers", "herself", "he", "him", "his", "himself"}) {
    EXPECT_TRUE(mentions_gender(word)) << word;
    EXPECT_TRUE(mentions_gender("and (" + std::string(word) + "), who")) << word;
  }
  EXPECT_TRUE(mentions_gender("HE did"));
  EXPECT_TRUE(mentions_gender("and she's late"));
  EXPECT_TRUE(mentions_gender("and she\xE2\x80\x99s late"));
}

TEST(Gender, NotInsideOtherWords) {
  for (const char* text : {"", "they are here", "the other there", "history of this", "a hero",
                           "their own", "sheher", "mother and son"}) {
    EXPECT_FALSE(mentions_gender(text)) << text;
  }
}

TEST(GenderJudge, IsGasAlone) {
  const auto judge = make_judge("gender");
  ASSERT_TRUE(judge.ok());
  EXPECT_TRUE((*judge)->uses_gld());
  const std::vector<JudgeItem> items{{"She", "they are kind"}, {"p", "he is kind"}};
  EXPECT_EQ((*judge)->score(items).value(), (std::vector<double>{0.0, 1.0}));
}

TEST(GenderJudge, IsTheMeanOfGasAndGld) {
  const auto judge = make_gender_judge();
  const std::vector<JudgeItem> items{
      {"p", "they are", 0.5}, {"p", "he is", 0.5}, {"p", "he is", 0.0}, {"p", "they are", 1.0}};
  EXPECT_EQ(judge->score(items).value(), (std::vector<double>{0.25, 0.75, 0.5, 0.5}));
}

TEST(GenderJudge, RefusesAGldThatIsNone) {
  for (const double gld : {-0.1, 1.1, std::numeric_limits<double>::quiet_NaN()}) {
    const std::vector<JudgeItem> items{{"p", "r", gld}};
    const auto scores = make_gender_judge()->score(items);
    ASSERT_FALSE(scores.ok()) << gld;
    EXPECT_EQ(scores.error().kind, ErrorKind::kInvalidArgument);
  }
}

}  // namespace
}  // namespace llmpatch
