#include "eval/measured_suite.h"

#include <gtest/gtest.h>

#include "eval/card.h"

namespace llmpatch {
namespace {

// Three systems on two prompts: the patch goes three quarters of the reference's way, and the first
// prompt is flagged without it alone.
MeasuredSuite made_up_suite(const std::string& name) {
  MeasuredSuite suite;
  suite.suite.name = name;
  suite.suite.kind = "generation";
  suite.n = 2;
  suite.headline = {"score"};
  suite.systems = {
      {System::kBase,
       {{"score", Scale::kMean, {.8, .6}}, {"flagged", Scale::kShare, {1, 0}}},
       {},
       {}},
      {System::kTeacher, {{"score", Scale::kMean, {.4, .2}}}, {}, {}},
      {System::kPatched,
       {{"score", Scale::kMean, {.5, .3}}, {"flagged", Scale::kShare, {0, 0}}},
       {},
       {"a note"}},
  };
  finish(suite, System::kTeacher, 1);
  return suite;
}

TEST(Finish, ComparesEveryPairAndTheWayToTheReference) {
  const MeasuredSuite suite = made_up_suite("s");
  ASSERT_EQ(suite.systems[0].figures.size(), 2u);
  EXPECT_NEAR(suite.systems[0].figures[0].estimate.value, .7, 1e-12);
  // score: three pairs; flagged: base against patch, since the teacher has none.
  ASSERT_EQ(suite.comparisons.size(), 4u);
  EXPECT_EQ(suite.comparisons[2].b, System::kPatched);
  EXPECT_EQ(suite.comparisons[2].metric.metric, "flagged");
  EXPECT_EQ(suite.comparisons[2].metric.only_a, 1u);
  ASSERT_EQ(suite.recovered.size(), 1u);
  EXPECT_EQ(suite.recovered[0].system, System::kPatched);
  EXPECT_EQ(suite.recovered[0].metric, "score");
  EXPECT_NEAR(suite.recovered[0].share.value, .75, 1e-12);
}

TEST(Card, HoldsEveryFigureOfAMeasuredSuite) {
  EvalResult result;
  result.measured.push_back(made_up_suite("s"));
  const OrderedJson card = eval_card(result);
  const OrderedJson& suite = card["suites"][0];
  EXPECT_EQ(suite["kind"], "generation");
  EXPECT_EQ(suite["systems"]["base"]["score"]["value"], .7);
  EXPECT_EQ(suite["systems"]["base"]["flagged"]["count"], 1);
  // None of two: 1 - .05^(1/2).
  EXPECT_NEAR(suite["systems"]["patch"]["flagged"]["zero_event_upper"].get<double>(), .776393,
              1e-6);
  EXPECT_EQ(suite["systems"]["patch"]["notes"][0], "a note");
  EXPECT_NEAR(suite["recovered"]["score"]["value"].get<double>(), .75, 1e-6);
  EXPECT_EQ(card["headline"].size(), 3u);  // score of three systems
}

TEST(Table, ShowsAMeasuredSuite) {
  EvalResult result;
  result.measured.push_back(made_up_suite("s"));
  const std::string table = eval_table(result);
  EXPECT_NE(table.find("s: 2 prompts"), std::string::npos);
  EXPECT_NE(table.find("  score"), std::string::npos);
  EXPECT_NE(table.find("recovered of score: 0.75 [0.75, 0.75]"), std::string::npos) << table;
  EXPECT_NE(table.find("patch: a note"), std::string::npos);
}

}  // namespace
}  // namespace llmpatch
