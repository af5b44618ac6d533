#include "judge/toxicity_svm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "base/json.h"
#include "judge/test_files.h"
#include "judge/tfidf_svm.h"

namespace llmpatch {
namespace {

// Two folds over three terms. Of the characters outside ASCII, e with acute is of words and so is
// its capital, and the capital I with a dot above becomes an i and a combining dot, which is none.
Json header() {
  return {{"format", "tfidf-svm"},
          {"version", 1},
          {"source", "by hand"},
          {"terms", 3},
          {"folds",
           {{{"intercept", -0.5}, {"a", -2.0}, {"b", 0.25}},
            {{"intercept", 0.25}, {"a", -1.0}, {"b", 0.0}}}},
          {"word_characters", {{0xC9, 0xC9}, {0xE9, 0xEA}, {0x130, 0x130}}},
          {"lower_case", {{0xC9, "\xC3\xA9"}, {0x130, "i\xCC\x87"}}}};
}

std::vector<Json> terms() {
  return {{{"term", "turnip"}, {"idf", 3.0}, {"weights", {2.0, 1.0}}},
          {{"term", "good"}, {"idf", 4.0}, {"weights", {-1.0, -2.0}}},
          {{"term", "caf\xC3\xA9"}, {"idf", 1.0}, {"weights", {1.0, 1.0}}}};
}

std::string file_of(const Json& first, const std::vector<Json>& rest) {
  std::string text = json_line(first) + "\n";
  for (const Json& line : rest) text += json_line(line) + "\n";
  return text;
}

Result<TfidfSvm> load(const std::string& text) {
  const TestFolder folder;
  return TfidfSvm::load(folder.write("svm.jsonl", text));
}

TfidfSvm by_hand() {
  auto svm = load(file_of(header(), terms()));
  EXPECT_TRUE(svm.ok()) << svm.error().to_string();
  return std::move(svm).value();
}

double sigmoid(double a, double f, double b) { return 1 / (1 + std::exp(a * f + b)); }

// Of the vector whose first two, normalised, entries are given.
double expected(double turnip, double good, double cafe = 0) {
  return (sigmoid(-2, -0.5 + 2 * turnip - good + cafe, 0.25) +
          sigmoid(-1, 0.25 + turnip - 2 * good + cafe, 0)) /
         2;
}

TEST(TfidfSvm, ComputesByHand) {
  const TfidfSvm svm = by_hand();
  EXPECT_DOUBLE_EQ(svm.probability(""), expected(0, 0));
  EXPECT_DOUBLE_EQ(svm.probability("nothing known"), expected(0, 0));
  EXPECT_DOUBLE_EQ(svm.probability("turnip"), expected(1, 0));  // one term: its norm is 1
  // turnip 1 * 3, good 1 * 4: norm 5.
  EXPECT_DOUBLE_EQ(svm.probability("A good TURNIP!"), expected(0.6, 0.8));
  // turnip 4 * 3, good 4 * 4: norm 20.
  EXPECT_DOUBLE_EQ(svm.probability("turnip turnip turnip turnip good good good good"),
                   expected(0.6, 0.8));
}

TEST(TfidfSvm, TakesWordsOfTwoCharactersAndMore) {
  const TfidfSvm svm = by_hand();
  EXPECT_DOUBLE_EQ(svm.probability("turnips"), expected(0, 0));
  EXPECT_DOUBLE_EQ(svm.probability("turnip_"), expected(0, 0));   // an underscore is of the word
  EXPECT_DOUBLE_EQ(svm.probability("turnip-x"), expected(1, 0));  // a hyphen is not
  EXPECT_DOUBLE_EQ(svm.probability("9turnip"), expected(0, 0));
}

TEST(TfidfSvm, KnowsCharactersOutsideAscii) {
  const TfidfSvm svm = by_hand();
  EXPECT_DOUBLE_EQ(svm.probability("caf\xC3\xA9"), expected(0, 0, 1));
  EXPECT_DOUBLE_EQ(svm.probability("CAF\xC3\x89"), expected(0, 0, 1));  // its capital
  EXPECT_DOUBLE_EQ(svm.probability("turnip\xC3\xAA"), expected(0, 0));  // inside a range
  EXPECT_DOUBLE_EQ(svm.probability("turnip\xC3\xAB"), expected(1, 0));  // behind it: a break
  EXPECT_DOUBLE_EQ(svm.probability("turn\xC4\xB0p"), expected(0, 0));   // breaks after its i
  EXPECT_DOUBLE_EQ(svm.probability("turnip\xE2\x80"), expected(1, 0));  // damaged
}

TEST(TfidfSvm, BadFiles) {
  const auto kind = [](const std::string& text) {
    const auto svm = load(text);
    return svm.ok() ? ErrorKind::kInternal : svm.error().kind;
  };
  const std::string good = file_of(header(), terms());
  ASSERT_TRUE(load(good).ok());
  EXPECT_EQ(kind(""), ErrorKind::kCorrupt);
  EXPECT_EQ(kind("{}\n"), ErrorKind::kCorrupt);
  EXPECT_EQ(kind("[]\n"), ErrorKind::kCorrupt);
  EXPECT_EQ(kind(good.substr(0, good.size() - 1)), ErrorKind::kCorrupt);  // cut in its last line
  EXPECT_EQ(kind(good + "\n"), ErrorKind::kCorrupt);                      // an empty line
  EXPECT_EQ(kind(std::string((32 << 20) + 1, 'x')), ErrorKind::kLimit);

  const std::vector<std::function<void(Json&)>> bad_headers{
      [](Json& h) { h["format"] = "other"; },
      [](Json& h) { h["version"] = 2; },
      [](Json& h) { h.erase("source"); },
      [](Json& h) { h["more"] = 1; },
      [](Json& h) { h["terms"] = 2; },
      [](Json& h) { h["terms"] = 4; },
      [](Json& h) { h["terms"] = 0; },
      [](Json& h) { h["terms"] = 1'000'001; },
      [](Json& h) { h["folds"] = Json::array(); },
      [](Json& h) { h["folds"][0].erase("a"); },
      [](Json& h) { h["folds"][0]["c"] = 1; },
      [](Json& h) { h["folds"][0]["a"] = "1"; },
      [](Json& h) { h["word_characters"] = {{0xE9}}; },
      [](Json& h) {
        h["word_characters"] = {{0xEA, 0xE9}};
      },
      [](Json& h) {
        h["word_characters"] = {{0xE9, 0xEA}, {0xEA, 0xEB}};
      },
      [](Json& h) {
        h["word_characters"] = {{0x41, 0x5A}};
      },
      [](Json& h) {
        h["word_characters"] = {{0xE9, 0x110000}};
      },
      [](Json& h) {
        h["lower_case"] = {{0xC9, ""}};
      },
      [](Json& h) {
        h["lower_case"] = {{0xC9, "x"}, {0xC9, "y"}};
      },
      [](Json& h) { h["lower_case"] = {{0xC9}}; },
  };
  for (std::size_t i = 0; i < bad_headers.size(); ++i) {
    Json changed = header();
    bad_headers[i](changed);
    EXPECT_EQ(kind(file_of(changed, terms())), ErrorKind::kCorrupt) << "header " << i;
  }
  const std::vector<std::function<void(Json&)>> bad_terms{
      [](Json& t) { t["term"] = ""; },
      [](Json& t) { t["term"] = std::string(257, 'x'); },
      [](Json& t) { t["term"] = "turnip"; },
      [](Json& t) { t["idf"] = 0; },
      [](Json& t) { t["idf"] = nullptr; },
      [](Json& t) { t["weights"] = {1.0}; },
      [](Json& t) {
        t["weights"] = {1.0, "2"};
      },
      [](Json& t) {
        t["weights"] = {1.0, 2.0, 3.0};
      },
      [](Json& t) { t.erase("weights"); },
      [](Json& t) { t["more"] = 1; },
      [](Json& t) { t = Json::array(); },
  };
  for (std::size_t i = 0; i < bad_terms.size(); ++i) {
    std::vector<Json> changed = terms();
    bad_terms[i](changed[1]);
    EXPECT_EQ(kind(file_of(header(), changed)), ErrorKind::kCorrupt) << "term " << i;
  }
  std::string infinite = good;
  infinite.replace(infinite.find("\"idf\":3.0"), 9, "\"idf\":1e999");
  EXPECT_EQ(kind(infinite), ErrorKind::kCorrupt);
}

TEST(ToxicitySvm, ScoresTheResponseAlone) {
  const TestFolder folder;
  JudgeOptions options;
  options.data = folder.path();
  const auto missing = make_judge("toxicity-svm", options);
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().kind, ErrorKind::kNotFound);
  EXPECT_NE(missing.error().hint.find("scripts/setup"), std::string::npos);

  folder.write("download/toxicity-svm.jsonl", file_of(header(), terms()));
  const auto judge = make_judge("toxicity-svm", options);
  ASSERT_TRUE(judge.ok()) << judge.error().to_string();
  const std::vector<JudgeItem> items{{"turnip", "good"}, {"good", "turnip"}};
  const auto scores = (*judge)->score(items).value();
  EXPECT_DOUBLE_EQ(scores[0], expected(0, 1));
  EXPECT_DOUBLE_EQ(scores[1], expected(1, 0));
  EXPECT_EQ((*judge)->identity().find("toxicity-svm sha256:"), 0U);
}

}  // namespace
}  // namespace llmpatch
