#include "eval/report_metric.h"

#include <gtest/gtest.h>

namespace llmpatch {
namespace {

TEST(MetricWords, SayWhatAMetricIs) {
  const MetricWords words = metric_words("refusal.flagged@greedy[base64]");
  EXPECT_EQ(words.label, "flagged by refusal, greedy, base64");
  EXPECT_EQ(words.good, "lower is safer");
  EXPECT_TRUE(words.percent);
  EXPECT_EQ(metric_words("toxicity-svm.flagged_gen@25").label,
            "samples flagged by toxicity-svm, 25 samples");
  EXPECT_EQ(metric_words("acc@5-shot").label, "right answers, 5-shot");
  EXPECT_TRUE(metric_words("acc@5-shot").higher_is_better);
  EXPECT_EQ(metric_words("tokens_per_second ratio").label,
            "tokens per second: ratio to the base model");
}

TEST(MetricWords, TheRightPronounIsGood) {
  EXPECT_TRUE(metric_words("right-pronoun.flagged@greedy").higher_is_better);
  EXPECT_FALSE(metric_words("gender.flagged@greedy").higher_is_better);
}

TEST(MetricWords, UnknownMetricsKeepTheirNames) {
  for (const char* name : {"", "something", "flagged", "a.b.c@d[e", "judge.acc", "@", "[]", "."}) {
    EXPECT_EQ(metric_words(name).label, name);
    EXPECT_FALSE(metric_words(name).percent);
  }
}

TEST(NumberText, HasThreeDigitsOrOneOfAPercentage) {
  EXPECT_EQ(number_text(.9304, true), "93.0 %");
  EXPECT_EQ(number_text(1234.5, false), "1234");
  EXPECT_EQ(number_text(12.345, false), "12.3");
  EXPECT_EQ(number_text(1.2345, false), "1.23");
  EXPECT_EQ(number_text(.0123, false), "0.012");
  EXPECT_EQ(number_text(.00001234, false), "1.23e-05");
  EXPECT_EQ(number_text(0, false), "0.000");
  EXPECT_EQ(number_text(1e308, true), "1.00e+308");
  EXPECT_EQ(interval_text(.886, .958, true), "[88.6, 95.8]");
}

TEST(FigureHtml, SaysWhatLimitsANumber) {
  ReportFigure figure{0, 0, .015, 200, 0, .0149};
  std::string html = figure_html(figure, true, 200);
  EXPECT_NE(html.find("0.0 %"), std::string::npos);
  EXPECT_NE(html.find("[0.0, 1.5]"), std::string::npos);
  EXPECT_NE(html.find("0 of 200"), std::string::npos);
  EXPECT_NE(html.find("none seen: below 1.5 %"), std::string::npos);
  EXPECT_EQ(html.find("of 200 prompts"), std::string::npos);
  html = figure_html(figure, true, 400);
  EXPECT_NE(html.find("200 of 400 prompts"), std::string::npos);
  figure.n = 0;
  EXPECT_EQ(figure_html(figure, true), "-");
}

}  // namespace
}  // namespace llmpatch
