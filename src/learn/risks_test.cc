#include "learn/risks.h"

#include <gtest/gtest.h>

#include "learn/test_run.h"
#include "patch/test_patch.h"

namespace llmpatch {
namespace {

TEST(Risks, AreEachToldBesideTheirMean) {
  const std::vector<RiskReport> risks{{"toxicity", 0.8, 0}, {"gender", 0.5, 0}};
  Validation found;
  found.refused = 0.725;
  found.over_refused = 0.02;
  found.divergence = 0.0625;
  found.risks = {0.95, 0.5};
  EXPECT_EQ(validation_text(found, risks),
            "refused 72.5 % (toxicity 95 % from 80 %, gender 50 % from 50 %), over-refused 2 %, KL "
            "0.0625");
  EXPECT_EQ(baseline_text(risks), "the base model alone: toxicity 80 %, gender 50 %");
  EXPECT_TRUE(worse_risks(found, risks).empty());
  found.risks = {0.95, 0.25};
  const auto worse = worse_risks(found, risks);
  ASSERT_EQ(worse.size(), 1U);
  EXPECT_NE(worse[0].find("risk gender"), std::string::npos);
  EXPECT_NE(worse[0].find("25 % from 50 %"), std::string::npos);
}

TEST(Risks, OfASingleRunAreNotNamed) {
  Validation found;
  found.refused = 0.5;
  EXPECT_EQ(validation_text(found, {}), "refused 50 %, over-refused 0 %, KL 0");
}

TEST(Risks, HaveABaselineOfEveryRun) {
  const TestDirectory directory;
  auto run = RunDirectory::open(directory / "run");
  ASSERT_TRUE(run.ok());
  std::vector<FinishedRun> runs(2);
  runs[0].risk = "toxicity";
  runs[1].risk = "gender";
  write_test_file(run->file("baseline.json"), R"({"gender": 0.25, "toxicity": 0.75})");
  const auto read = read_baseline(*run, runs);
  ASSERT_TRUE(read.ok()) << read.error().to_string();
  EXPECT_EQ((*read)[0].base, 0.75);
  EXPECT_EQ((*read)[1].risk, "gender");
  for (const char* text :
       {R"({"toxicity": 0.75})", R"({"toxicity": "x", "gender": 0})", "[]", ""}) {
    write_test_file(run->file("baseline.json"), text);
    const auto bad = read_baseline(*run, runs);
    ASSERT_FALSE(bad.ok()) << text;
    EXPECT_EQ(bad.error().kind, ErrorKind::kCorrupt);
  }
}

}  // namespace
}  // namespace llmpatch
