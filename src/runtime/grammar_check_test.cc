#include "runtime/grammar_check.h"

#include <gtest/gtest.h>

namespace llmpatch {
namespace {

std::optional<ErrorKind> refusal(const std::string& text) {
  const Status status = check_grammar(text);
  return status.ok() ? std::nullopt : std::optional(status.error().kind);
}

TEST(GrammarCheck, TakesWhatJsonSchemasBecome) {
  const std::string text = R"gbnf(
# a comment
char ::= [^"\\\x7F\x00-\x1F] | [\\] (["\\bfnrt] | "u" [0-9a-fA-F]{4})
age-kv ::= "\"age\"" space ":" space integer
integer ::= ("-"? integral-part) space
integral-part ::= [0] | [1-9] [0-9]{0,15}
kind ::= ("\"a\"" | "\"b\"" | null) space
null ::= "null" space
root ::= "{" space age-kv ( "," space ( kind-kv ) )? "}" space
kind-kv ::= "\"kind\"" space ":" space kind
space ::= | " " | "\n"{1,2} [ \t]{0,20}
string ::= "\"" char* "\"" space
)gbnf";
  EXPECT_EQ(refusal(text), std::nullopt) << check_grammar(text).error().to_string();
}

TEST(GrammarCheck, TakesRecursionThatDoesNotComeFirst) {
  EXPECT_EQ(refusal("root ::= \"(\" root \")\" | \"x\""), std::nullopt);
  EXPECT_EQ(refusal("root ::= <[7]> (\n \"a\" |\n \"b\" )+ !<[3]> .{2,} [^a-c-]"), std::nullopt);
  EXPECT_EQ(refusal("root ::= \"\xC3\xA4\" \"\\u00e4\"{3}"), std::nullopt);
}

TEST(GrammarCheck, RefusesWhatDoesNotParse) {
  for (const char* text : {
           "root",
           "root = \"a\"",
           "::= \"a\"",
           "root ::= \"a",
           "root ::= [a",
           "root ::= []",
           "root ::= \"\\q\"",
           "root ::= \"\\x4\"",
           "root ::= (\"a\"",
           "root ::= \"a\")",
           "root ::= *",
           "root ::= \"\"+",
           "root ::= \"a\"{",
           "root ::= \"a\"{x}",
           "root ::= \"a\"{1,2",
           "root ::= \"a\"{3,2}",
           "root ::= \"a\"{99999999999999999999}",
           "root ::= \"a\"{0}*",
           "root ::= other",
           "root ::= \"a\"\nroot ::= \"b\"",
           "root ::= <think>",
           "root ::= <[x]>",
           "root ::= \"\x80\"",
           "root ::= \"\xF0\"",
           "root ::= \"a\" ? \"b\" @",
       }) {
    EXPECT_EQ(refusal(text), ErrorKind::kInvalidArgument) << text;
  }
  EXPECT_EQ(refusal(std::string("root ::= \"a\0b\"", 14)), ErrorKind::kInvalidArgument);
}

TEST(GrammarCheck, WantsARoot) {
  EXPECT_EQ(refusal(""), ErrorKind::kInvalidArgument);
  EXPECT_EQ(refusal("other ::= \"a\""), ErrorKind::kInvalidArgument);
}

TEST(GrammarCheck, NamesTheLine) {
  const Status status = check_grammar("root ::= \"a\"\nb ::= \"b\"\nc ::= [\n");
  EXPECT_NE(status.error().message.find("line 4"), std::string::npos) << status.error().message;
}

// libllama looks for rules that begin with themselves, but not behind rules that are empty by way
// of others: its matcher would then grow a stack without end.
TEST(GrammarCheck, RefusesRulesThatBeginWithThemselves) {
  for (const char* text : {
           "root ::= root \"a\" | \"b\"",
           "root ::= a\na ::= b \"x\"\nb ::= a \"y\" | \"z\"",
           "root ::= empty root \"y\" | \"x\"\nempty ::= nothing\nnothing ::= \"\"",
           "root ::= \"a\"? root \"b\" | \"c\"",
           "root ::= (\"a\"?)* \"b\"",
           "root ::= (\"a\"*)+ \"b\"",
       }) {
    EXPECT_EQ(refusal(text), ErrorKind::kInvalidArgument) << text;
  }
}

TEST(GrammarCheck, RefusesNestingWithoutEnd) {
  const std::string deep(100000, '(');
  EXPECT_EQ(refusal("root ::= " + deep), ErrorKind::kLimit);
  EXPECT_EQ(refusal("root ::= " + std::string(50, '(') + "\"a\"" + std::string(50, ')')),
            std::nullopt);
}

TEST(GrammarCheck, RefusesGrammarsThatGrowBeyondMeasure) {
  EXPECT_EQ(refusal("root ::= \"a\"{2001}"), ErrorKind::kLimit);
  EXPECT_EQ(refusal("root ::= \"a\"{1000}{1000}"), ErrorKind::kLimit);
  EXPECT_EQ(refusal("root ::= \"" + std::string(1000, 'a') + "\"{1500}"), ErrorKind::kLimit);
  EXPECT_EQ(refusal("root ::= \"" + std::string(std::size_t{2} << 20, 'a') + "\""),
            ErrorKind::kLimit);
}

TEST(GrammarCheck, RefusesTooManyBeginnings) {
  const auto name = [](int i) { return std::string("r") + std::to_string(i); };
  // Every rule begins in twice as many ways as the next.
  std::string doubling = "root ::= r0 | r0\n";
  for (int i = 0; i < 40; ++i) {
    doubling += name(i) + " ::= " + name(i + 1) + " | " + name(i + 1) + "\n";
  }
  EXPECT_EQ(refusal(doubling + "r40 ::= \"a\""), ErrorKind::kLimit);

  std::string chain = "root ::= r0\n";
  for (int i = 0; i < 5000; ++i) chain += name(i) + " ::= " + name(i + 1) + "\n";
  EXPECT_EQ(refusal(chain + "r5000 ::= \"a\""), ErrorKind::kLimit);

  std::string choice = "root ::= \"0\"";
  for (int i = 1; i < 900; ++i) choice += " | \"" + std::to_string(i) + "\"";
  EXPECT_EQ(refusal(choice), std::nullopt);
}

}  // namespace
}  // namespace llmpatch
