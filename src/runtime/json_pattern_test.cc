#include "runtime/json_pattern.h"

#include <gtest/gtest.h>

#include "runtime/grammar.h"
#include "runtime/json_schema.h"
#include "runtime/test_models.h"

namespace llmpatch {
namespace {

// Whether an answer held to a string of this pattern may be the JSON text.
bool may_be(const std::string& pattern, const std::string& text) {
  std::string escaped;
  for (const char c : pattern) {
    if (c == '\\' || c == '"') escaped += '\\';
    escaped += c;
  }
  const Result<std::string> grammar =
      json_schema_grammar(R"({"type": "string", "pattern": ")" + escaped + "\"}");
  if (!grammar.ok()) {
    ADD_FAILURE() << pattern << ": " << grammar.error().to_string();
    return false;
  }
  auto matcher = Grammar::create(tiny_model(), *grammar);
  if (!matcher.ok()) {
    ADD_FAILURE() << pattern << ": " << matcher.error().to_string() << "\n" << *grammar;
    return false;
  }
  for (const char c : "\"" + text + "\"") {
    const Token token = 3 + static_cast<unsigned char>(c);  // the tiny model's bytes
    if (!(*matcher)->allows(token) || !(*matcher)->accept(token).ok()) return false;
  }
  return (*matcher)->allows(2);
}

ErrorKind refused(const std::string& pattern) {
  const Result<std::string> made = grammar_pattern(pattern);
  if (made.ok()) {
    ADD_FAILURE() << pattern << " became " << *made;
    return ErrorKind::kInternal;
  }
  return made.error().kind;
}

TEST(JsonPattern, HoldsAnAnswerToIt) {
  EXPECT_TRUE(may_be("^[A-Z]{2}-\\d{3}$", "AB-123"));
  EXPECT_FALSE(may_be("^[A-Z]{2}-\\d{3}$", "AB-12"));
  EXPECT_FALSE(may_be("^[A-Z]{2}-\\d{3}$", "AB-1234"));
  EXPECT_FALSE(may_be("^[A-Z]{2}-\\d{3}$", "ab-123"));
  EXPECT_TRUE(may_be("^(?:red|green)( dark)?$", "green dark"));
  EXPECT_FALSE(may_be("^(?:red|green)( dark)?$", "blue"));
  EXPECT_TRUE(may_be("^a+?b*c{2,}$", "aaccc"));
  EXPECT_FALSE(may_be("^a+?b*c{2,}$", "aac"));
  EXPECT_TRUE(may_be("^\\w+@\\w+\\.com$", "me_1@x.com"));
  EXPECT_FALSE(may_be("^\\w+@\\w+\\.com$", "me@xxcom"));
  EXPECT_TRUE(may_be("^[^a-c]é$", "dé"));
  EXPECT_FALSE(may_be("^[^a-c]é$", "bé"));
  EXPECT_TRUE(may_be("^é*$", "éé"));
  EXPECT_TRUE(may_be("^[\\]\\-a]+$", "]-a"));
}

// What has to be escaped in JSON never comes of a pattern, whatever that allows.
TEST(JsonPattern, AlwaysGivesAJsonString) {
  for (const char* pattern : {"^.*$", "^[^a]*$", "^[ -~]*$", "^\\W*$", "^\\D*$", "^\\S*$"}) {
    EXPECT_TRUE(may_be(pattern, "")) << pattern;
    EXPECT_TRUE(may_be(pattern, "!")) << pattern;
    EXPECT_FALSE(may_be(pattern, "!\", \"evil")) << pattern;
    EXPECT_FALSE(may_be(pattern, "\\")) << pattern;
    EXPECT_FALSE(may_be(pattern, "\n")) << pattern;
  }
}

TEST(JsonPattern, RefusesWhatNoGrammarFollows) {
  for (const char* pattern :
       {"a",         "^a",     "a$",        "^a|b$",       "^(?=a)a$",   "^(?!a)b$",
        "^(?<n>a)$", "^a\\b$", "^(a)\\1$",  "^\"$",        "^[\"\\\\]$", "^\\n$",
        "^\\p{L}$",  "^a{0}$", "^a{1001}$", "^a{1,1001}$", "^()$",       "^(a|)$",
        "^$",        "^a^b$",  "^{a}$",     "^a{,3}$",     "^\\x4$"}) {
    EXPECT_EQ(refused(pattern), ErrorKind::kUnsupported) << pattern;
  }
}

TEST(JsonPattern, RefusesWhatIsNoPattern) {
  for (const char* pattern :
       {"^(a$", "^a)$", "^[a$", "^*a$", "^a**$", "^a{3,2}$", "^[z-a]$", "^a+{2}$", "^\\$"}) {
    EXPECT_EQ(refused(pattern), ErrorKind::kInvalidArgument) << pattern;
  }
}

TEST(JsonPattern, IsBounded) {
  EXPECT_EQ(refused("^" + std::string(255, 'a') + "$"), ErrorKind::kLimit);
  EXPECT_TRUE(grammar_pattern("^" + std::string(254, 'a') + "$").ok());
  EXPECT_EQ(refused("^" + std::string(17, '(') + "a" + std::string(17, ')') + "$"),
            ErrorKind::kLimit);
}

TEST(JsonPattern, LeavesPropertiesOfThatNameAlone) {
  const std::string schema =
      R"({"type":"object","properties":{"pattern":{"type":"string","pattern":"^\\d$"},"x":{"const":{"pattern":"("}}}})";
  const Result<std::string> made = with_grammar_patterns(schema);
  ASSERT_TRUE(made.ok()) << made.error().to_string();
  EXPECT_EQ(
      *made,
      R"({"type":"object","properties":{"pattern":{"type":"string","pattern":"^[0-9]$"},"x":{"const":{"pattern":"("}}}})");
}

}  // namespace
}  // namespace llmpatch
