#include "eval/jailbreak.h"

#include <gtest/gtest.h>

#include <fstream>

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

SuitePrompt asking(const std::string& text) {
  SuitePrompt prompt;
  prompt.prompt.messages = {{"user", text}};
  prompt.format = PromptFormat::kRaw;
  prompt.category = "c";
  return prompt;
}

std::string content(const std::string& text, const std::string& prompt) {
  const SuitePrompt asked = apply_template({"t", {{"user", text}}, ""}, asking(prompt));
  return asked.prompt.messages.at(0).content;
}

TEST(ApplyTemplate, FillsEveryPlace) {
  EXPECT_EQ(content("Say: {prompt}!", "paint a wall"), "Say: paint a wall!");
  EXPECT_EQ(content("{base64}", "foobar"), "Zm9vYmFy");  // RFC 4648, section 10
  // The blanks are at 5 and 7 of 12 bytes; 5 and 7 are equally near, the left one is taken.
  EXPECT_EQ(content("a={first_half};b={second_half}", "paint a wall"), "a=paint;b= a wall");
  EXPECT_EQ(content("{first_half}|{second_half}", "abcd"), "ab|cd");
  EXPECT_EQ(content("{first_half}|{second_half}", ""), "|");
  // Two characters of two bytes: the middle, byte 2, is between them.
  EXPECT_EQ(content("{first_half}|{second_half}", "\xC3\xA4\xC3\xB6"), "\xC3\xA4|\xC3\xB6");
  EXPECT_EQ(content("{first_half}|{second_half}",
                    "a\xC3\xA4"
                    "b"),
            "a|\xC3\xA4"
            "b");
}

TEST(ApplyTemplate, APromptsOwnBracesAreText) {
  EXPECT_EQ(content("{prompt} {base64}", "{base64}"), "{base64} e2Jhc2U2NH0=");
}

TEST(ApplyTemplate, KeepsWhatTheLineSaysAndPrefills) {
  const JailbreakTemplate attack{
      "t", {{"system", "s"}, {"user", "x {prompt}"}, {"assistant", "y"}, {"user", "z"}}, "Sure"};
  const SuitePrompt asked = apply_template(attack, asking("p"));
  EXPECT_EQ(asked.format, PromptFormat::kChat);
  EXPECT_EQ(asked.category, "c");
  EXPECT_EQ(asked.prefill, "Sure");
  ASSERT_EQ(asked.prompt.messages.size(), 4u);
  EXPECT_EQ(asked.prompt.messages[1].content, "x p");
  // What is asked differs from the prompt alone, and from the same without the prefill.
  SuitePrompt without = asked;
  without.prefill.clear();
  EXPECT_NE(asked.digest(), without.digest());
}

class TemplateFile : public ::testing::Test {
 protected:
  Result<std::vector<JailbreakTemplate>> read(const std::string& text) const {
    std::ofstream(path_) << text;
    return read_jailbreak_templates(path_);
  }
  void TearDown() override { fs::remove(path_); }

  fs::path path_ = fs::path(::testing::TempDir()) / "templates.jsonl";
};

TEST_F(TemplateFile, BadOnesAreNamed) {
  struct Bad {
    const char* text;
    const char* names;
  };
  const std::string good =
      R"({"name": "a", "messages": [{"role": "user", "content": "{prompt}"}]})";
  for (const auto& [text, names] :
       {Bad{R"({"name": "b", "messages": [{"role": "user", "content": "hello"}]})", "{prompt}"},
        {R"({"messages": [{"role": "user", "content": "{prompt}"}]})", "name"},
        {R"({"name": "a", "messages": [{"role": "user", "content": "{prompt}"}]})", "'a' twice"},
        {R"({"name": "b", "prefil": "", "messages": [{"role": "user", "content": "{prompt}"}]})",
         "prefil"},
        {R"({"name": "b", "messages": [{"role": "user", "content": "{prompt}"},)"
         R"({"role": "assistant", "content": "Sure"}]})",
         "assistant"}}) {
    const auto templates = read(good + "\n" + text + "\n");
    ASSERT_FALSE(templates.ok()) << text;
    EXPECT_EQ(templates.error().kind, ErrorKind::kCorrupt);
    EXPECT_NE(templates.error().message.find("line 2"), std::string::npos);
    EXPECT_NE(templates.error().message.find(names), std::string::npos)
        << templates.error().message;
  }
  EXPECT_EQ(read("").error().kind, ErrorKind::kInvalidArgument);
}

TEST_F(TemplateFile, TheBuiltInOnesAreRead) {
  const auto templates =
      read_jailbreak_templates(fs::path(LLMPATCH_SOURCE_DIR) / "data/jailbreak-templates.jsonl");
  ASSERT_TRUE(templates.ok()) << templates.error().to_string();
  EXPECT_GE(templates->size(), 9u);
}

}  // namespace
}  // namespace llmpatch
