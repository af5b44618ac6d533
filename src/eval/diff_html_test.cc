#include "eval/diff_html.h"

#include <gtest/gtest.h>

namespace llmpatch {
namespace {

SuitePrompt prompt(const std::string& text) {
  SuitePrompt entry;
  entry.prompt.messages.push_back({"user", text});
  entry.category = text;
  return entry;
}

// Three prompts: the first is fixed, the second broken, the third not changed.
Diff made_up_diff(const std::string& text) {
  Diff diff;
  diff.changed = 2;
  for (std::size_t i = 0; i < 3; ++i) {
    DiffEntry entry;
    entry.prompt = i;
    entry.before = "Well, " + text;
    entry.after = i == 2 ? entry.before : "Well, no";
    entry.changed = i < 2;
    entry.agreed = 6;
    entry.position = 2;
    entry.token_before = text;
    entry.token_after = "no";
    entry.kl = 1.5;
    entry.verdicts = {{i == 0 ? 1.0 : 0.0, i == 1 ? 1.0 : 0.0,
                       i == 0   ? DiffChange::kFixed
                       : i == 1 ? DiffChange::kBroken
                                : DiffChange::kUnchanged}};
    diff.entries.push_back(std::move(entry));
  }
  diff.counts = {{text, 1, 1, 1, 0}};
  return diff;
}

DiffSubject subject(const std::string& text) {
  return {text, {{text, "1.0.0", "d1"}}, {{"refuse", "1.1.0", "d2"}}, 16};
}

std::string page_of(const std::string& text) {
  const std::vector<SuitePrompt> prompts{prompt(text), prompt("second"), prompt("third")};
  return diff_html(made_up_diff(text), prompts, subject(text));
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

TEST(DiffHtml, HostileTextIsNeverMarkup) {
  const std::string page =
      page_of("</style><script>alert(1)</script><img src=x onerror=alert(1)>\"'&");
  EXPECT_EQ(page.find("<script"), std::string::npos);
  EXPECT_EQ(page.find("<img"), std::string::npos);
  EXPECT_EQ(count(page, "</style>"), 1u);
  EXPECT_GT(count(page, "&lt;img src=x onerror=alert(1)&gt;"), 8u);
}

TEST(DiffHtml, ChangedPromptsAreBehindAClickWithFilters) {
  const std::string page = page_of("NEEDLE");
  EXPECT_EQ(count(page, "<article"), 2u);  // what did not change is not shown
  EXPECT_LT(page.find("<details class=\"harmful\">"), page.find("<p class=\"prompt\""));
  EXPECT_EQ(count(page, "class=\"asked entry fixed0\""), 1u);
  EXPECT_EQ(count(page, "class=\"asked entry broken0\""), 1u);
  EXPECT_NE(page.find("id=\"show-fixed0\"> fixed, <bdi>NEEDLE</bdi> (1)"), std::string::npos);
  EXPECT_NE(page.find(".changes:has(#show-broken0:checked) .entry:not(.broken0){display:none}"),
            std::string::npos);
  EXPECT_NE(page.find("part at token 3, KL 1.500"), std::string::npos);
  EXPECT_NE(page.find("1.00 \xE2\x86\x92 0.00 <b class=\"good\">fixed</b>"), std::string::npos);
}

TEST(DiffHtml, ReleaseNotesCountAndNameTheVersions) {
  const std::string notes = diff_release_notes(made_up_diff("judge"), subject("refuse"));
  EXPECT_NE(notes.find("## refuse 1.0.0 \xE2\x86\x92 refuse 1.1.0"), std::string::npos) << notes;
  EXPECT_NE(notes.find("2 of 3"), std::string::npos);
  // One against one: p is 1.
  EXPECT_NE(notes.find("- judge: fixed 1 of 3 (33.3 % ["), std::string::npos) << notes;
  EXPECT_NE(notes.find("p 1.000"), std::string::npos);
  EXPECT_EQ(notes.find("Well"), std::string::npos);  // no answer
  const Diff nothing;
  EXPECT_NE(diff_html(nothing, {}, {}).find("None."), std::string::npos);
  EXPECT_NE(diff_release_notes(nothing, {}).find("the model alone"), std::string::npos);
}

TEST(MarkedAnswer, MarksTheFirstTokenOfItsOwn) {
  EXPECT_EQ(marked_answer_html("I am sorry", 2, "am"),
            "<span class=\"agreed\">I </span><mark>am</mark> sorry");
  EXPECT_EQ(marked_answer_html("I am", 4, ""),
            "<span class=\"agreed\">I am</span><mark class=\"ended\">end</mark>");
  EXPECT_EQ(marked_answer_html("", 0, ""),
            "<span class=\"agreed\"></span><mark class=\"ended\">end</mark>");
  EXPECT_EQ(marked_answer_html("ab", 9, "token"),
            "<span class=\"agreed\">ab</span><mark class=\"ended\">end</mark>");
}

TEST(MarkedAnswer, NeverCutsACharacter) {
  const std::string euro = "\xE2\x82\xAC";
  // The parting inside the character, and a token that is its first byte.
  EXPECT_EQ(marked_answer_html("a" + euro + "b", 2, "\x82"),
            "<span class=\"agreed\">a</span><mark>" + euro + "</mark>b");
  EXPECT_EQ(marked_answer_html("a" + euro + "b", 1, "\xE2"),
            "<span class=\"agreed\">a</span><mark>" + euro + "</mark>b");
}

}  // namespace
}  // namespace llmpatch
