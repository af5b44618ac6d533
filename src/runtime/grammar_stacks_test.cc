#include "runtime/grammar_stacks.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "runtime/json_schema.h"

namespace llmpatch {
namespace {

constexpr std::size_t kMuch = 100000000;

// A text that is followed through a grammar, characters of one byte.
class Followed {
 public:
  explicit Followed(const std::string& grammar, std::size_t work = kMuch)
      : stacks_(parse_grammar(grammar).value()) {
    stacks_.allow_work(work);
    front_ = stacks_.start();
  }

  // Whether a text of the grammar may begin with this.
  bool may_begin(std::string_view text) {
    GrammarStacks::Front next;
    for (const char c : text) {
      const std::size_t before = stacks_.work_left();
      stacks_.advance(front_, static_cast<unsigned char>(c), next);
      last_work_ = before - stacks_.work_left();
      std::swap(front_, next);
    }
    return !front_.empty();
  }
  bool is(std::string_view text) { return may_begin(text) && stacks_.may_end(front_); }

  std::size_t last_work() const { return last_work_; }  // of the last character
  std::size_t live() const { return front_.size(); }
  GrammarStacks& stacks() { return stacks_; }
  GrammarStacks::Front& front() { return front_; }

 private:
  GrammarStacks stacks_;
  GrammarStacks::Front front_;
  std::size_t last_work_ = 0;
};

bool is(const std::string& grammar, std::string_view text) { return Followed(grammar).is(text); }

std::string times(std::size_t n, std::string_view text) {
  std::string all;
  for (std::size_t i = 0; i < n; ++i) all += text;
  return all;
}

TEST(GrammarStacks, FollowsAlternativesAndClasses) {
  const std::string grammar = "root ::= \"a\" (\"b\" | [c-e] | [^a-y])";
  for (const char* text : {"ab", "ad", "az"}) EXPECT_TRUE(is(grammar, text)) << text;
  for (const char* text : {"", "a", "af", "abb", "b"}) EXPECT_FALSE(is(grammar, text)) << text;
}

TEST(GrammarStacks, FollowsRepetitions) {
  const auto lengths = [](const std::string& repeated) {
    std::string found;
    for (std::size_t n = 0; n < 6; ++n)
      found += is("root ::= " + repeated, times(n, "a")) ? '1' : '0';
    return found;
  };
  EXPECT_EQ(lengths("\"a\"*"), "111111");
  EXPECT_EQ(lengths("\"a\"+"), "011111");
  EXPECT_EQ(lengths("\"a\"?"), "110000");
  EXPECT_EQ(lengths("\"a\"{2}"), "001000");
  EXPECT_EQ(lengths("\"a\"{2,}"), "001111");
  EXPECT_EQ(lengths("\"a\"{0,2}"), "111000");
  EXPECT_EQ(lengths("\"a\"{1,3}"), "011100");
  EXPECT_EQ(lengths("\"a\"{0}"), "100000");
  EXPECT_EQ(lengths("\"aa\"{1,2}"), "001010");
  EXPECT_EQ(lengths("(\"a\" | \"aaa\")?"), "110100");
  EXPECT_EQ(lengths("\"a\"{2}{1,2}"), "001010");
}

// What may be empty is done where it begins: also for those that come to it later.
TEST(GrammarStacks, FollowsRulesThatMayBeEmpty) {
  const std::string grammar =
      "root ::= one | two\none ::= gap \"a\"\ntwo ::= both \"b\"\nboth ::= gap gap\n"
      "gap ::= | \" \"";
  for (const char* text : {"a", " a", "b", " b", "  b"}) EXPECT_TRUE(is(grammar, text)) << text;
  EXPECT_FALSE(is(grammar, "  a"));
  EXPECT_TRUE(is("root ::= a \"z\"\na ::= b b c\nb ::= c c\nc ::= |\"x\"", "xxxxxz"));
  EXPECT_FALSE(is("root ::= a \"z\"\na ::= b b c\nb ::= c c\nc ::= |\"x\"", "xxxxxxz"));
}

TEST(GrammarStacks, KeepsApartWhatIsNested) {
  const std::string grammar = "root ::= \"(\" root \")\" | \"[\" root \"]\" | \"x\"";
  EXPECT_TRUE(is(grammar, "([(x)])"));
  EXPECT_FALSE(is(grammar, "([(x)))"));
  EXPECT_FALSE(is(grammar, "([(x)]"));
}

TEST(GrammarStacks, GoesBackToAMark) {
  Followed followed("root ::= \"(\" root \")\" | \"x\"");
  ASSERT_TRUE(followed.may_begin("(("));
  const GrammarStacks::Front front = followed.front();
  const GrammarStacks::Mark mark = followed.stacks().mark();
  ASSERT_TRUE(followed.may_begin("((("));
  followed.stacks().return_to(mark);
  followed.front() = front;
  EXPECT_TRUE(followed.is("x))"));
}

TEST(GrammarStacks, DropsWhatIsNotInUse) {
  Followed followed("root ::= (\"<\" root \">\")* \"x\"");
  ASSERT_TRUE(followed.may_begin("<<" + times(100, "<x>") + times(30, "<") + times(30, "x>")));
  const std::size_t before = followed.stacks().size();
  followed.stacks().keep_only(followed.front());
  EXPECT_LT(followed.stacks().size(), before / 4);
  EXPECT_TRUE(followed.is("<<x>x>x>x>x"));
}

// --- Work ---------------------------------------------------------------------------------------

// Each of these has two stacks for each one before, with every character, when they are kept one by
// one: 2^1000 after the text. As a graph, the last characters take what the first ones did, and
// some more to find nodes among those that are kept.
TEST(GrammarStacks, AmbiguityTakesNoMoreWorkWithEveryCharacter) {
  const auto schema = [](const std::string& text) { return json_schema_grammar(text).value(); };
  struct Case {
    std::string grammar, opening;
  };
  const std::string arrays =
      R"({"type": "array", "items": {"$ref": "#/$defs/x"}},
         {"type": "array", "items": {"$ref": "#/$defs/x"}})";
  const std::string object =
      R"({"type": "object", "properties": {"a": {"$ref": "#/$defs/x"}}, "required": ["a"])";
  for (const Case& each : {
           Case{schema(R"({"$defs": {"x": {"anyOf": [)" + arrays +
                       R"(]}}, "type": "array", "items": {"$ref": "#/$defs/x"}})"),
                "["},
           Case{schema(R"({"$defs": {"x": {"anyOf": [)" + arrays + ", " + arrays +
                       R"(]}}, "$ref": "#/$defs/x"})"),
                "["},
           Case{schema(R"({"$defs": {"x": {"oneOf": [)" + object + "}, " + object +
                       R"(, "additionalProperties": false}]}}, "$ref": "#/$defs/x"})"),
                "{\"a\":"},
           Case{"root ::= \"[\" root \"]\" | \"[\" root \")\" | \"x\"", "["},
           Case{"root ::= a | b\na ::= \"[\" root \"]\"\nb ::= \"[\" [x]? root \"]\"", "["},
       }) {
    Followed followed(each.grammar);
    ASSERT_TRUE(followed.may_begin(times(10, each.opening))) << each.grammar;
    const std::size_t work = followed.last_work(), live = followed.live();
    ASSERT_TRUE(followed.may_begin(times(990, each.opening))) << each.grammar;
    EXPECT_LT(followed.last_work(), 4 * work) << each.grammar;
    EXPECT_EQ(followed.live(), live) << each.grammar;
    EXPECT_LT(work, 2000u) << each.grammar;
  }
}

// A long list grows no stack, and takes as much work at its end as at its beginning.
TEST(GrammarStacks, ListsTakeNoMoreWorkWithEveryItem) {
  for (const char* grammar : {
           "root ::= [a-z]*",
           "root ::= \"\\\"\" char* \"\\\"\"\nchar ::= [^\"]",
           "root ::= ([a]* [a]*)",
           "root ::= ([a] | [a])* \"b\"",
           "root ::= ([a]+)* \"b\"",
           "root ::= (([a]+)+)+ \"b\"",
           "root ::= ([a]? [a])* \"b\"",
           "root ::= ([a] | [a] [a])* \"b\"",
           "root ::= [a-z] root",
       }) {
    Followed followed(grammar);
    const std::string begin =
        std::string_view(grammar).find("\\\"") == std::string::npos ? "" : "\"";
    ASSERT_TRUE(followed.may_begin(begin + times(20, "a"))) << grammar;
    const std::size_t work = followed.last_work();
    ASSERT_TRUE(followed.may_begin(times(5000, "a"))) << grammar;
    EXPECT_LT(followed.last_work(), 2 * work) << grammar;
    followed.stacks().keep_only(followed.front());
    EXPECT_LT(followed.stacks().size(), 100u) << grammar;
  }
}

// As many stacks as there are counts that it may be at, and no more.
TEST(GrammarStacks, CountedRepetitionsTakeWorkByTheirCounts) {
  for (const char* grammar : {
           "root ::= ([a]{0,40} [a]{0,40}){0,1} \"b\"",
           "root ::= ([a]{0,40} \"x\"? ){0,40} \"b\"",
           "root ::= (([a] | [a] [a])?){0,500} \"b\"",
       }) {
    Followed followed(grammar);
    ASSERT_TRUE(followed.may_begin(times(60, "a"))) << grammar;
    EXPECT_LT(followed.last_work(), 100000u) << grammar;
  }
}

TEST(GrammarStacks, HoldsABoundedNumberOfStacks) {
  std::string grammar = "root ::= \"a\"";
  for (int i = 0; i < 200; ++i) grammar += " | \"a\" root root";
  Followed many(grammar);
  ASSERT_TRUE(many.may_begin("a"));
  ASSERT_FALSE(many.stacks().is_exhausted());
  many.may_begin("a");  // each of the 201 beginnings within each of 200 rules, and what follows it
  EXPECT_TRUE(many.stacks().is_exhausted());
  EXPECT_LE(many.live(), std::size_t{1} << 16);
}

// Rules that meet after different beginnings: what a graph cannot keep small.
TEST(GrammarStacks, StopsWhereTheWorkIsUsedUp) {
  const std::string grammar = "root ::= s\ns ::= \"a\" s s \"b\" | \"a\" s | \"a\"";
  Followed followed(grammar);
  ASSERT_TRUE(followed.may_begin(times(40, "a")));
  const std::size_t early = followed.last_work();
  ASSERT_TRUE(followed.may_begin(times(80, "a")));
  EXPECT_GT(followed.last_work(), 3 * early);

  constexpr std::size_t kLittle = 10000;
  Followed bounded(grammar, kLittle);
  bounded.may_begin(times(5000, "a"));
  EXPECT_TRUE(bounded.stacks().is_exhausted());
  EXPECT_EQ(bounded.stacks().work_left(), 0u);
  EXPECT_LE(bounded.stacks().size(), 2 * kLittle + 2);
}

}  // namespace
}  // namespace llmpatch
