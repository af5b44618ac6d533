#include "eval/html.h"

#include <gtest/gtest.h>

namespace llmpatch {
namespace {

using namespace std::string_view_literals;

TEST(HtmlEscape, MarkupAndQuotes) {
  EXPECT_EQ(html_escape(R"(<script>alert("x" & 'y')</script>)"),
            "&lt;script&gt;alert(&quot;x&quot; &amp; &#39;y&#39;)&lt;/script&gt;");
}

TEST(HtmlEscape, KeepsTextAndLines) {
  EXPECT_EQ(html_escape("a\n\tb \xC3\xA9 \xF0\x9F\x99\x82"), "a\n\tb \xC3\xA9 \xF0\x9F\x99\x82");
}

TEST(HtmlEscape, ReplacesWhatIsNotText) {
  constexpr auto kR = "\xEF\xBF\xBD"sv;
  const std::string r(kR);
  EXPECT_EQ(html_escape("a\0b"sv), "a" + r + "b");
  EXPECT_EQ(html_escape("\x1B[31m"), r + "[31m");
  EXPECT_EQ(html_escape("cut \xF0\x9F\x99"), "cut " + r + r + r);
  EXPECT_EQ(html_escape("\x80"), r);
  EXPECT_EQ(html_escape("\xC0\xBC"), r + r);           // overlong '<'
  EXPECT_EQ(html_escape("\xE0\x80\xBC"), r + r + r);   // overlong '<', three bytes
  EXPECT_EQ(html_escape("\xED\xA0\x80"), r + r + r);   // a surrogate
  EXPECT_EQ(html_escape("\xE2<b>"), r + "&lt;b&gt;");  // a cut lead byte does not eat markup
}

}  // namespace
}  // namespace llmpatch
