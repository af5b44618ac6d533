#include "eval/suite.h"

#include <gtest/gtest.h>

#include <fstream>

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
    EXPECT_EQ(suite->max_tokens, default_max_tokens(suite->expect));
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
