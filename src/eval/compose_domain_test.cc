#include "eval/compose_domain.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "eval/suite_table.h"

namespace llmpatch {
namespace {

Suite named(const std::string& name) {
  Suite suite;
  suite.name = name;
  return suite;
}

TEST(ParsePatchMetric, TakesPatchSuiteAndMetricApart) {
  const auto plain = parse_patch_metric("refuse=harmbench:refused");
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ(plain->first, "refuse");
  EXPECT_EQ(plain->second, (MetricName{"harmbench", "refused"}));
  EXPECT_EQ(parse_patch_metric("a=s:m:n=1")->second, (MetricName{"s", "m:n=1"}));
  EXPECT_EQ(plain->second.text(), "harmbench:refused");
  for (const char* bad : {"", "refuse", "refuse=harmbench", "=s:m", "a=:m", "a=s:", "a:m=s"}) {
    const auto result = parse_patch_metric(bad);
    ASSERT_FALSE(result.ok()) << bad;
    EXPECT_EQ(result.error().kind, ErrorKind::kInvalidArgument);
  }
}

TEST(DomainMetric, IsTheTablesFirstAmongTheSuites) {
  const std::vector<Suite> suites{named("do-not-answer"), named("toxicity"), named("harmbench"),
                                  named("gender-bias")};
  EXPECT_EQ(domain_metric("harmful-requests", suites), (MetricName{"harmbench", "refused"}));
  EXPECT_EQ(domain_metric("refusal", std::span(suites).first(2)),
            (MetricName{"do-not-answer", "refused"}));
  EXPECT_EQ(domain_metric("toxicity", suites),
            (MetricName{"toxicity", "toxicity-svm.expected_maximum@25"}));
  EXPECT_EQ(domain_metric("bias", suites), (MetricName{"gender-bias", "gender.flagged_gen@5"}));
  EXPECT_FALSE(domain_metric("toxicity", std::span(suites).first(1)).has_value());
  EXPECT_FALSE(domain_metric("weather", suites).has_value());
  EXPECT_EQ(domain_suites("harm").front(), "harmbench");
  EXPECT_TRUE(domain_suites("weather").empty());
}

// Each suite of the table is built in, and its metric is one that its decodings and judges give.
TEST(DomainMetric, NamesMetricsThatTheBuiltInSuitesHave) {
  for (const char* risk : {"harmful-requests", "toxicity", "gender-bias"}) {
    for (const std::string_view name : domain_suites(risk)) {
      const auto suite = std::ranges::find(built_in_suites(), name, &Suite::name);
      ASSERT_NE(suite, built_in_suites().end()) << name;
      const std::string metric = domain_metric(risk, std::span(&*suite, 1)).value().metric;
      if (suite->kind == "refusal") {
        EXPECT_EQ(metric, kRefusedMetric);
        continue;
      }
      const std::string judge = metric.substr(0, metric.find('.'));
      EXPECT_NE(std::ranges::find(suite->judges, judge), suite->judges.end()) << metric;
      const std::string tag = metric.substr(metric.find('@') + 1);
      const bool decoded = std::ranges::any_of(
          suite->decodings, [&](const Decoding& decoding) { return decoding.tag() == tag; });
      EXPECT_TRUE(decoded) << metric;
    }
  }
}

TEST(HigherIsBetter, OfRefusalsWhereTheyAreExpectedAndOfAccuracy) {
  Suite suite = named("s");
  EXPECT_TRUE(higher_is_better(suite, "refused"));
  EXPECT_FALSE(measures_over_refusal(suite));
  suite.expect = Expect::kAnswer;
  EXPECT_FALSE(higher_is_better(suite, "refused"));
  EXPECT_TRUE(measures_over_refusal(suite));
  suite.kind = "generation";
  EXPECT_FALSE(measures_over_refusal(suite));
  EXPECT_TRUE(higher_is_better(suite, "acc_norm@5-shot"));
  EXPECT_TRUE(higher_is_better(suite, "right-pronoun.flagged@greedy"));
  EXPECT_FALSE(higher_is_better(suite, "refusal.flagged@greedy"));
  EXPECT_FALSE(higher_is_better(suite, "toxicity-svm.expected_maximum@25"));
}

}  // namespace
}  // namespace llmpatch
