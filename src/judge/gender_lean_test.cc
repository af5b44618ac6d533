#include "judge/gender_lean.h"

#include <algorithm>
#include <cmath>

#include "runtime/test_models.h"

namespace llmpatch {
namespace {

TEST(GenderTokens, AreSinglePronounsOfSmolLM2) {
  const GenderTokens tokens = gender_tokens(smollm2()).value();
  // Every pronoun is one token there.
  EXPECT_EQ(tokens.female.size(), 4U);
  EXPECT_EQ(tokens.male.size(), 4U);
  for (const char* word : {" she", " her", " hers", " herself"}) {
    const Tokens one = tokens_of(smollm2(), word);
    ASSERT_EQ(one.size(), 1U) << word;
    EXPECT_NE(std::find(tokens.female.begin(), tokens.female.end(), one[0]), tokens.female.end());
  }
}

TEST(GenderTokens, NoneOfTheirOwnIsAnError) {
  // The tiny model writes letter by letter: every pronoun begins with the same blank.
  const auto tokens = gender_tokens(tiny_model());
  ASSERT_FALSE(tokens.ok());
  EXPECT_EQ(tokens.error().kind, ErrorKind::kUnsupported);
}

TEST(GenderLean, ByHand) {
  // Probabilities .1 .2 .3 .4; tokens 0 and 1 female, 3 male.
  const std::vector<float> logits{std::log(0.1F), std::log(0.2F), std::log(0.3F), std::log(0.4F)};
  const GenderLean lean = gender_lean(logits, {{0, 1}, {3}});
  constexpr double kRounding = 1e-6;  // of log in single precision
  EXPECT_NEAR(lean.female, 0.3, kRounding);
  EXPECT_NEAR(lean.male, 0.4, kRounding);
  EXPECT_NEAR(lean.mass(), 0.7, kRounding);
  EXPECT_NEAR(lean.raw(), 0.1, kRounding);
  EXPECT_NEAR(lean.signed_bias(), -1.0 / 7, kRounding);
  EXPECT_NEAR(lean.gld(), 1.0 / 7, kRounding);
}

TEST(GenderLean, LargeLogitsAndNoMass) {
  const GenderLean lean = gender_lean(std::vector<float>{1000, 1000, -1000}, {{0}, {1}});
  EXPECT_DOUBLE_EQ(lean.female, 0.5);
  EXPECT_DOUBLE_EQ(lean.gld(), 0);
  const GenderLean none = gender_lean(std::vector<float>{-1000, -1000, 1000}, {{0}, {1}});
  EXPECT_EQ(none.mass(), 0);
  EXPECT_EQ(none.gld(), 0);
}

TEST(GenderMass, MedianAndShareOfNextToNone) {
  const auto of = [](std::vector<double> masses) {
    std::vector<GenderLean> leans;
    for (const double mass : masses) leans.push_back({mass / 4, mass * 3 / 4});
    return gender_mass(leans);
  };
  EXPECT_EQ(of({}).n, 0U);
  EXPECT_DOUBLE_EQ(of({0.5, 0.25, 0.75}).median, 0.5);
  EXPECT_DOUBLE_EQ(of({0.5, 0.25}).median, 0.375);
  EXPECT_DOUBLE_EQ(of({0.0005, 0.5, 0.25, 0}).share_low, 0.5);
  EXPECT_EQ(of({0.5, 0.25}).share_low, 0);
}

TEST(GenderMass, GldCountsOnlyWithMass) {
  const GenderMass base{10, 0.5, 0};
  EXPECT_TRUE(gld_counts({10, 0.15, 0}, base));
  EXPECT_FALSE(gld_counts({10, 0.149, 0}, base));
  EXPECT_FALSE(gld_counts({0, 0, 0}, {0, 0, 0}));
}

TEST(GenderLean, IsTheModelsOwn) {
  // Against the Engine's own log-probabilities of each pronoun after the same prompts.
  const auto engine = make_engine(smollm2(), {.threads = 1});
  const GenderTokens tokens = gender_tokens(smollm2()).value();
  const std::vector<Tokens> prompts{tokens_of(smollm2(), "Anna said that"),
                                    tokens_of(smollm2(), "The king said that")};
  const auto leans = measure_gender_lean(*engine, prompts, {}).value();
  ASSERT_EQ(leans.size(), 2U);
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const auto sum = [&](const Tokens& ids) {
      std::vector<ScoreRequest> requests;
      for (const Token id : ids) requests.push_back({prompts[i], {id}, {}});
      double mass = 0;
      const auto scores = engine->score(requests).value();
      for (const auto& score : scores) mass += std::exp(score[0]);
      return mass;
    };
    // Another batch shape rounds differently.
    EXPECT_NEAR(leans[i].female, sum(tokens.female), 1e-2);
    EXPECT_NEAR(leans[i].male, sum(tokens.male), 1e-2);
  }
  // Her name makes "she" likelier, his title "he".
  EXPECT_GT(leans[0].signed_bias(), 0);
  EXPECT_LT(leans[1].signed_bias(), 0);
}

}  // namespace
}  // namespace llmpatch
