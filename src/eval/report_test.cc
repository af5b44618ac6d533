#include "eval/report.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/base64.h"
#include "base/hex.h"
#include "base/sha256.h"
#include "eval/card.h"
#include "eval/test_card.h"
#include "eval/test_result.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

constexpr const char* kHostile =
    "</style></script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&";

ReportSource source(const Json& card, const std::string& name = "out") {
  return {name, name + "/eval.json", card, "", {}};
}

std::string page_of(const std::vector<ReportSource>& sources) {
  const auto page = report_html(sources);
  EXPECT_TRUE(page.ok()) << page.error().message;
  return page.ok() ? *page : "";
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

// A label, suite, metric, category, note, prompt and answer of `text`, everywhere a card and its
// answers have text of unknown origin.
ReportSource hostile_source(const std::string& text) {
  Json card = made_up_card(text);
  for (const char* key : {"tool", "command"}) card[key] = text;
  card["model"]["file"] = text;
  card["patches"][0]["name"] = text;
  Json& suite = card["suites"][0];
  suite["name"] = text;
  suite["kind"] = "generation";
  suite["systems"]["base"][text] = card_figure(1, 0, 2, 4);
  suite["systems"]["base"][text + ".flagged@" + text + "[" + text + "]"] = card_figure(1, 0, 1, 4);
  suite["systems"]["base"]["notes"] = {text, text + " " + text};
  suite["systems"]["base"]["by_category"][text] = card_figure(1, 0, 1, 4);
  suite["side_effects"][text] = card_figure(1, 0, 2, 4);
  suite["signed_bias"]["base"][text] = {{"value", 1}, {"n", 1}};
  card["timing"][text] = card_figure(1, 0, 2, 4);
  card["timing"]["note"] = text;
  ReportSource out = source(card, text);
  out.responses = json_line(Json{{"suite", text},
                                 {"line", 1},
                                 {"category", text},
                                 {"prompt", text},
                                 {"variant", text},
                                 {"decoding", text},
                                 {"system", text},
                                 {"response", text},
                                 {"scores", {{text, 1}}}});
  out.metrics = {{1, Json{{"stage", text}, {"step", 1}, {text, 2}}}};
  return out;
}

TEST(Report, HostileTextIsNeverMarkup) {
  const std::string short_hostile = "</style><script>alert(1)</script><img src=x>\"'&";
  ASSERT_LE(short_hostile.size(), 64u);  // it is a label, too
  const std::string page = page_of({hostile_source(short_hostile)});
  EXPECT_EQ(page.find("<script"), std::string::npos);
  EXPECT_EQ(page.find("<img"), std::string::npos);
  EXPECT_EQ(count(page, "</style>"), 1u);
  // Every place of hostile_source() shows it, so none was left out of this test.
  EXPECT_GT(count(page, "&lt;img src=x&gt;"), 20u);
}

TEST(Report, EscapesWhatAnEvaluationGives) {
  ReportSource from_result = source(Json(eval_card(made_up_result(kHostile))));
  const std::string page = page_of({from_result});
  EXPECT_EQ(page.find("<script"), std::string::npos);
  EXPECT_EQ(page.find("<img"), std::string::npos);
  EXPECT_NE(page.find("&lt;img src=x onerror=alert(1)&gt;"), std::string::npos);
}

TEST(Report, AsksNothingOfTheOutsideAndRunsNoScript) {
  const std::string page = page_of({hostile_source("text")});
  EXPECT_EQ(page.find(" src="), std::string::npos);
  EXPECT_EQ(count(page, " href="), count(page, " href=\"#"));
  EXPECT_EQ(page.find("url("), std::string::npos);
  EXPECT_EQ(page.find("@import"), std::string::npos);
  EXPECT_EQ(page.find("<script"), std::string::npos);
  EXPECT_EQ(page.find(" style="), std::string::npos);  // the policy would not let it in
  // The policy lets in the style by its digest, and that is the style's.
  const std::size_t begin = page.find("<style>") + 7, end = page.find("</style>");
  ASSERT_NE(end, std::string::npos);
  const std::string digest =
      base64_encode(*hex_decode(sha256_hex(page.substr(begin, end - begin))));
  EXPECT_NE(page.find("content=\"default-src 'none'; style-src 'sha256-" + digest + "'"),
            std::string::npos);
}

TEST(Report, LinksLeadSomewhere) {
  const std::string page = page_of({hostile_source("text")});
  for (std::size_t at = page.find(" href=\"#"); at != std::string::npos;
       at = page.find(" href=\"#", at + 1)) {
    const std::size_t begin = at + 8;
    const std::string anchor = page.substr(begin, page.find('"', begin) - begin);
    EXPECT_EQ(count(page, " id=\"" + anchor + "\""), 1u) << anchor;
  }
}

TEST(Report, EverySystemHasItsFigureWithIntervalAndPrompts) {
  Json card = made_up_card();
  Json& systems = card["suites"][0]["systems"];
  for (int i = 0; i < 30; ++i) {
    Json& system = systems["system " + std::to_string(i)] = systems["patch"];
    system["refusal"]["count"] = 3;
    system["refusal"]["value"] = .75;
    system["refusal"]["low"] = .301;
    system["refusal"]["high"] = .954;
  }
  const std::string page = page_of({source(card)});
  EXPECT_EQ(count(page,
                  "75.0 %</b> <span class=\"interval\">[30.1, 95.4]</span> <span "
                  "class=\"n\">3 of 4</span>"),
            30u);
  EXPECT_NE(page.find("<bdi>system 29</bdi>"), std::string::npos);
  EXPECT_NE(page.find("<b class=\"letter\">AF</b>"), std::string::npos);  // the 32nd
  // A line at the base in the rows of all 32.
  EXPECT_EQ(count(page, "<line class=\"base c0\""), 32u);
}

TEST(Report, SafetyAgainstUtility) {
  Json card = made_up_card();
  Json benign = card["suites"][0];
  benign["name"] = "benign";
  benign["expect"] = "answer";
  benign["comparisons"] = Json::array();
  for (auto& [label, system] : benign["systems"].items()) {
    system = {{"over-refusal", card_figure(label == "base" ? 0 : .25, 0, .7, 4)}};
  }
  card["suites"].push_back(benign);
  const std::string page = page_of({source(card)});
  EXPECT_NE(page.find("id=\"trade-off\""), std::string::npos);
  // A quarter refused is three quarters answered, and the interval is mirrored.
  EXPECT_NE(page.find("75.0 %</b> <span class=\"interval\">[30.0, 100.0]"), std::string::npos);
}

TEST(Report, WarningsStandBesideTheNumber) {
  Json card = made_up_card();
  Json& suite = card["suites"][0];
  suite["kind"] = "gender";
  suite["comparisons"][0]["metric"] = "refusal";
  Json& patch = suite["systems"]["patch"];
  patch["gld"] = card_figure(.1, .05, .2, 4);
  patch["notes"] = {"gld does not count: the median mass is low"};
  patch["gender.flagged@greedy"] = card_figure(0, 0, .6, 3);
  patch["gender.flagged@greedy"]["count"] = 0;
  patch["gender.flagged@greedy"]["zero_event_upper"] = .632;
  const std::string page = page_of({source(card)});
  const auto after = [&](const std::string& figure, const std::string& said) {
    const std::size_t at = page.find(figure);
    ASSERT_NE(at, std::string::npos) << figure;
    const std::string cell = page.substr(at, page.find("</td>", at) - at);
    EXPECT_NE(cell.find(said), std::string::npos) << cell;
  };
  after("0.100</b>", "does not count");
  after(">0.0 %</b>", "none seen: below 63.2 %");
  after(">0.0 %</b>", "3 of 4 prompts");
  after("100.0 %</b>", "p 0.500 against A");
  EXPECT_NE(page.find("harmful: patch: gld does not count"), std::string::npos);
}

TEST(Report, TemplatesAndLengths) {
  Json card = made_up_card();
  Json& suite = card["suites"][0];
  suite["kind"] = "long-prompt";
  for (auto& [label, system] : suite["systems"].items()) {
    for (const char* length : {"0", "512", "2048"}) {
      system["refusal.flagged@greedy[" + std::string(length) + " tokens]"] =
          card_figure(.5, .2, .8, 4);
    }
  }
  std::string page = page_of({source(card)});
  EXPECT_NE(page.find("By length: flagged by refusal, greedy"), std::string::npos);
  // By their number: 512 before 2048.
  const std::size_t axis = page.find("class=\"chart\"");
  EXPECT_LT(page.find(">512<", axis), page.find(">2048<", axis));
  suite["kind"] = "jailbreak";
  page = page_of({source(card)});
  EXPECT_NE(page.find("By template: flagged by refusal, greedy"), std::string::npos);
  EXPECT_EQ(count(page, "<rect class=\"bar\""), 6u);  // two systems, three variants
}

TEST(Report, TheSameSourcesGiveTheSameBytes) {
  EXPECT_EQ(page_of({hostile_source("text")}), page_of({hostile_source("text")}));
}

TEST(Report, RefusesNothingAndWhatIsNoCard) {
  const auto none = report_html({});
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().kind, ErrorKind::kInvalidArgument);
  const std::vector<ReportSource> wrong{source(Json{{"schema", "x"}})};
  const auto page = report_html(wrong);
  ASSERT_FALSE(page.ok());
  EXPECT_EQ(page.error().kind, ErrorKind::kUnsupported);
  EXPECT_NE(page.error().message.find("out/eval.json"), std::string::npos);
}

class ReportSources : public ::testing::Test {
 protected:
  void SetUp() override {
    dir_ = fs::temp_directory_path() /
           ("llmpatch-report-" +
            std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(dir_);
  }
  void TearDown() override { fs::remove_all(dir_); }

  fs::path write(const std::string& name, const std::string& text) {
    const fs::path path = dir_ / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return path;
  }

  fs::path dir_;
};

TEST_F(ReportSources, ReadsFoldersAndFiles) {
  const std::string card = json_line(made_up_card());
  write("one/eval.json", card);
  write("one/responses.jsonl", "{}\n");
  write("one/run/metrics.jsonl", "{\"step\": 1}\n");
  write("two/eval.json", card);
  const auto sources = read_report_sources({dir_ / "one", dir_ / "two/eval.json"});
  ASSERT_TRUE(sources.ok()) << sources.error().message;
  EXPECT_EQ((*sources)[0].name, "one");
  EXPECT_EQ((*sources)[0].responses, "{}\n");
  EXPECT_EQ((*sources)[0].metrics.size(), 1u);
  EXPECT_EQ((*sources)[1].name, "two");
  EXPECT_EQ((*sources)[1].responses, "");
}

TEST_F(ReportSources, FoldersOfOneNameAreNamedByTheirPaths) {
  const std::string card = json_line(made_up_card());
  write("a/out/eval.json", card);
  write("b/out/eval.json", card);
  const auto sources = read_report_sources({dir_ / "a/out", dir_ / "b/out"});
  ASSERT_TRUE(sources.ok());
  EXPECT_EQ((*sources)[0].name, (dir_ / "a/out").string());
}

TEST_F(ReportSources, RefusesWhatIsNotThereOrTwice) {
  const auto kind = [](const std::vector<fs::path>& paths) {
    const auto sources = read_report_sources(paths);
    return sources.ok() ? ErrorKind::kInternal : sources.error().kind;
  };
  EXPECT_EQ(kind({dir_ / "none"}), ErrorKind::kNotFound);
  write("a/other.txt", "");
  EXPECT_EQ(kind({dir_ / "a"}), ErrorKind::kNotFound);
  const fs::path card = write("b/eval.json", json_line(made_up_card()));
  EXPECT_EQ(kind({dir_ / "b", card}), ErrorKind::kInvalidArgument);
  EXPECT_EQ(kind({write("c/eval.json", "{\"a\": 1, \"a\": 2}")}), ErrorKind::kCorrupt);
  EXPECT_EQ(kind({write("d/eval.json", std::string(100, '['))}), ErrorKind::kCorrupt);
  EXPECT_EQ(kind({write("e/eval.json", std::string((16 << 20) + 1, ' '))}), ErrorKind::kLimit);
}

}  // namespace
}  // namespace llmpatch
