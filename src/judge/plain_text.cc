#include "judge/plain_text.h"

#include <array>

#include "base/ascii.h"

namespace llmpatch {
namespace {

// Characters outside ASCII that stand for an ASCII one.
struct Substitution {
  std::string_view bytes;
  char ascii;
};
constexpr std::array<Substitution, 8> kSubstitutions{{
    {"\xE2\x80\x99", '\''},  // right single quotation mark
    {"\xE2\x80\x98", '\''},  // left single quotation mark
    {"\xCA\xBC", '\''},      // modifier letter apostrophe
    {"\xC2\xB4", '\''},      // acute accent
    {"\xE2\x80\x9C", '"'},   // left double quotation mark
    {"\xE2\x80\x9D", '"'},   // right double quotation mark
    {"\xC2\xA0", ' '},       // no-break space
    {"\xEF\xBB\xBF", ' '},   // byte order mark
}};

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_skipped_at_start(char c) {
  return is_space(c) || std::string_view("*_#>-`\"'~").find(c) != std::string_view::npos;
}

// The next character of `text` as ASCII where it has a substitution; drops it from `text`.
char take(std::string_view& text) {
  for (const auto& [bytes, ascii] : kSubstitutions) {
    if (text.starts_with(bytes)) {
      text.remove_prefix(bytes.size());
      return ascii;
    }
  }
  const char c = text.front();
  text.remove_prefix(1);
  return ascii_lower(c);
}

}  // namespace

std::string plain_text(std::string_view text, std::size_t longest) {
  std::string out;
  while (!text.empty() && out.size() < longest) {
    const char c = take(text);
    if (out.empty() && is_skipped_at_start(c)) continue;
    if (!is_space(c)) {
      out += c;
    } else if (out.back() != ' ') {
      out += ' ';
    }
  }
  return out;
}

}  // namespace llmpatch
