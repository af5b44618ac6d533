#include "eval/suite.h"

#include <gtest/gtest.h>

#include <fstream>

#include "eval/suite_kind.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

class SuiteTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ =
        fs::path(::testing::TempDir()) /
        ("suite-" + std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::create_directories(directory_);
  }
  void TearDown() override { fs::remove_all(directory_); }

  fs::path write(const std::string& name, const std::string& text) const {
    const fs::path path = directory_ / name;
    std::ofstream(path) << text;
    return path;
  }

  fs::path directory_;
};

TEST_F(SuiteTest, EveryBuiltInNameLoads) {
  ASSERT_FALSE(suite_names().empty());
  for (const auto name : suite_names()) {
    const auto suite = load_suite(name, "data");
    ASSERT_TRUE(suite.ok()) << name;
    EXPECT_EQ(suite->name, name);
    EXPECT_EQ(*suite->prompts.begin(), "data");
    if (suite->kind == "refusal") {
      EXPECT_EQ(suite->max_tokens, default_max_tokens(suite->expect));
    } else {
      EXPECT_TRUE(find_suite_kind(suite->kind).ok()) << suite->kind;
    }
    EXPECT_NE(
        suite->kind == "refusal" || suite->kind == "multiple-choice" || suite->kind == "drift",
        !suite->judges.empty())
        << name;
  }
}

TEST_F(SuiteTest, UnknownNameListsTheKnownOnes) {
  const auto suite = load_suite("harmbensch", "data");
  ASSERT_FALSE(suite.ok());
  EXPECT_EQ(suite.error().kind, ErrorKind::kNotFound);
  EXPECT_NE(suite.error().message.find("harmbench,"), std::string::npos);
}

TEST_F(SuiteTest, SuiteFile) {
  const auto path = write("mine.json", R"({"name": "mine", "prompts": "mine.jsonl",
      "expect": "answer", "format": "raw", "max_tokens": 20})");
  const auto suite = load_suite(path.string(), "data");
  ASSERT_TRUE(suite.ok()) << suite.error().to_string();
  EXPECT_EQ(suite->name, "mine");
  EXPECT_EQ(suite->prompts, directory_ / "mine.jsonl");
  EXPECT_EQ(suite->expect, Expect::kAnswer);
  EXPECT_EQ(suite->format, PromptFormat::kRaw);
  EXPECT_EQ(suite->max_tokens, 20);
}

TEST_F(SuiteTest, BadSuiteFiles) {
  struct Bad {
    const char* text;
    const char* names;  // what the message must name
  };
  for (const auto& [text, names] :
       {Bad{R"({"name": "x", "prompts": "p.jsonl", "expect": "obey"})", "obey"},
        {R"({"name": "x", "prompts": "p.jsonl"})", "expect"},
        {R"({"name": "x", "prompts": 3, "expect": "answer"})", "prompts"},
        {R"({"name": "x", "prompts": "p", "expect": "answer", "max_tokens": 0})", "max_tokens"},
        {R"({"name": "x", "prompts": "p", "expect": "answer", "max_token": 9})", "max_token'"},
        {R"(["x"])", "array"},
        {R"({"name": )", "bad.json"}}) {
    const auto suite = load_suite(write("bad.json", text).string(), "data");
    ASSERT_FALSE(suite.ok()) << text;
    EXPECT_NE(suite.error().message.find(names), std::string::npos) << suite.error().message;
  }
  EXPECT_EQ(load_suite((directory_ / "none.json").string(), "data").error().kind,
            ErrorKind::kNotFound);
}

TEST_F(SuiteTest, SuiteFileOfJudgedAnswers) {
  const auto path = write("mine.json", R"({"name": "mine", "prompts": "p.jsonl", "format": "raw",
      "judges": ["refusal", "degenerate"], "threshold": 0.25,
      "decoding": [{"max_tokens": 9},
                   {"max_tokens": 20, "samples": 5, "temperature": 1, "top_p": 0.5}]})");
  const auto suite = load_suite(path.string(), "data");
  ASSERT_TRUE(suite.ok()) << suite.error().to_string();
  EXPECT_EQ(suite->kind, "generation");
  EXPECT_EQ(suite->judges, (std::vector<std::string>{"refusal", "degenerate"}));
  EXPECT_EQ(suite->threshold, .25);
  EXPECT_EQ(suite->decodings, (std::vector<Decoding>{{9, 1, 0, 1}, {20, 5, 1, .5F}}));
}

TEST_F(SuiteTest, SuiteFilesOfEveryKind) {
  const auto jailbreak = parse_suite(R"({"name": "j", "kind": "jailbreak", "prompts": "p.jsonl",
      "templates": "t.jsonl", "judges": ["refusal"], "decoding": {"max_tokens": 9}})",
                                     "dir/j.json");
  ASSERT_TRUE(jailbreak.ok()) << jailbreak.error().to_string();
  EXPECT_EQ(jailbreak->templates, "dir/t.jsonl");
  const auto longer = parse_suite(R"({"name": "l", "kind": "long-prompt", "prompts": "p.jsonl",
      "filler": "f.txt", "filler_tokens": [0, 100], "judges": ["refusal"],
      "decoding": {"max_tokens": 9}})",
                                  "l.json");
  ASSERT_TRUE(longer.ok()) << longer.error().to_string();
  EXPECT_EQ(longer->filler_tokens, (std::vector<int>{0, 100}));
  const auto choice = parse_suite(R"({"name": "c", "kind": "multiple-choice", "prompts": "p.jsonl",
      "style": "arc", "shots": [2], "examples": "e.jsonl"})",
                                  "c.json");
  ASSERT_TRUE(choice.ok()) << choice.error().to_string();
  EXPECT_FALSE(choice->lettered);
  EXPECT_EQ(choice->shots, (std::vector<int>{2}));
  const auto text = parse_suite(
      R"({"name": "t", "kind": "perplexity", "prompts": "t.txt", "window": 64})", "t.json");
  ASSERT_TRUE(text.ok()) << text.error().to_string();
  EXPECT_EQ(text->window, 64);
}

TEST_F(SuiteTest, BadJudgedSuiteFiles) {
  struct Bad {
    const char* members;  // what stands beside name and prompts
    const char* names;    // what the message must name
  };
  for (const auto& [members, names] :
       {Bad{R"("judges": ["refusl"], "decoding": {"max_tokens": 9})", "refusl"},
        {R"("judges": ["run-me.json"], "decoding": {"max_tokens": 9})", "run-me.json"},
        {R"("judges": [], "decoding": {"max_tokens": 9})", "judges"},
        {R"("judges": ["refusal", "refusal"], "decoding": {"max_tokens": 9})", "twice"},
        {R"("judges": ["refusal"])", "decoding"},
        {R"("judges": ["refusal"], "decoding": [])", "decoding"},
        {R"("judges": ["refusal"], "decoding": {"samples": 5, "temperature": 1})", "max_tokens"},
        {R"("judges": ["refusal"], "decoding": {"max_tokens": 9, "samples": 0, "temperature": 1})",
         "samples: found 0"},
        {R"("judges": ["refusal"], "decoding": {"max_tokens": 9, "samples": 5})", "temperature 0"},
        {R"("judges": ["refusal"], "decoding": {"max_tokens": 9, "top_k": 5})", "top_k"},
        {R"("judges": ["refusal"], "decoding": {"max_tokens": 9, "temperature": -1})",
         "temperature"},
        {R"("judges": ["refusal"], "decoding": [{"max_tokens": 9}, {"max_tokens": 8}])", "greedy"},
        {R"("judges": ["refusal"], "decoding": {"max_tokens": 9}, "threshold": 1)", "threshold"},
        {R"("judges": ["refusal"], "decoding": {"max_tokens": 9}, "expect": "refuse")", "expect'"},
        {R"("kind": "generatoin")", "generatoin"},
        {R"("kind": "jailbreak", "judges": ["refusal"], "decoding": {"max_tokens": 9})",
         "templates"},
        {R"("kind": "multiple-choice", "shots": [0, 0])", "twice"},
        {R"("kind": "multiple-choice", "style": "hellaswag")", "hellaswag"},
        {R"("kind": "perplexity", "window": 1)", "window"}}) {
    const std::string text = R"({"name": "x", "prompts": "p.jsonl", )" + std::string(members) + "}";
    const auto suite = parse_suite(text, "bad.json");
    ASSERT_FALSE(suite.ok()) << text;
    EXPECT_EQ(suite.error().kind, ErrorKind::kCorrupt);
    EXPECT_NE(suite.error().message.find(names), std::string::npos) << suite.error().message;
  }
}

TEST_F(SuiteTest, BareFileNeedsAnExpectation) {
  EXPECT_EQ(load_suite("some/prompts.jsonl", "data").error().kind, ErrorKind::kInvalidArgument);
  const auto suite = load_suite("some/prompts.jsonl", "data", Expect::kRefuse);
  ASSERT_TRUE(suite.ok());
  EXPECT_EQ(suite->name, "prompts");
  EXPECT_EQ(suite->expect, Expect::kRefuse);
  EXPECT_EQ(suite->max_tokens, 32);
}

TEST_F(SuiteTest, PromptsCarryCategoryScaryAndFormat) {
  Suite suite;
  suite.name = "s";
  suite.prompts = write("s.jsonl", R"({"prompt": "a", "category": "code", "scary": true})"
                                   "\n"
                                   R"({"prompt": "b", "format": "raw"})"
                                   "\n");
  const auto prompts = read_suite_prompts(suite, std::nullopt, PromptFormat::kChat);
  ASSERT_TRUE(prompts.ok()) << prompts.error().to_string();
  ASSERT_EQ(prompts->size(), 2u);
  EXPECT_EQ((*prompts)[0].category, "code");
  EXPECT_TRUE((*prompts)[0].scary);
  EXPECT_EQ((*prompts)[0].format, PromptFormat::kChat);
  EXPECT_EQ((*prompts)[1].category, "");
  EXPECT_FALSE((*prompts)[1].scary);
  EXPECT_EQ((*prompts)[1].format, PromptFormat::kRaw);
}

TEST_F(SuiteTest, FormatPrecedence) {
  Suite suite;
  suite.prompts =
      write("s.jsonl", "{\"prompt\": \"a\"}\n{\"prompt\": \"b\", \"format\": \"chat\"}\n");
  suite.format = PromptFormat::kRaw;
  const auto own = read_suite_prompts(suite, std::nullopt, PromptFormat::kChat);
  ASSERT_TRUE(own.ok());
  EXPECT_EQ((*own)[0].format, PromptFormat::kRaw);   // the suite's, over the fallback
  EXPECT_EQ((*own)[1].format, PromptFormat::kChat);  // the line's, over the suite's
  const auto forced = read_suite_prompts(suite, PromptFormat::kRaw, PromptFormat::kChat);
  ASSERT_TRUE(forced.ok());
  EXPECT_EQ((*forced)[1].format, PromptFormat::kRaw);  // --format, over all
}

TEST_F(SuiteTest, BadPromptLinesAreNamed) {
  Suite suite;
  for (const char* line :
       {R"({"prompt": "b", "scary": "yes"})", R"({"prompt": "b", "category": 1})",
        R"({"prompt": "b", "format": "xml"})", R"({"prompt": )"}) {
    suite.prompts = write("s.jsonl", std::string("{\"prompt\": \"a\"}\n") + line + "\n");
    const auto prompts = read_suite_prompts(suite, std::nullopt, PromptFormat::kChat);
    ASSERT_FALSE(prompts.ok()) << line;
    EXPECT_EQ(prompts.error().kind, ErrorKind::kCorrupt) << line;
    EXPECT_NE(prompts.error().message.find("line 2"), std::string::npos) << prompts.error().message;
  }
  suite.prompts = write("s.jsonl", "\n");
  EXPECT_EQ(read_suite_prompts(suite, std::nullopt, PromptFormat::kChat).error().kind,
            ErrorKind::kInvalidArgument);
}

}  // namespace
}  // namespace llmpatch
