// Text of unknown origin inside HTML. Model output is hostile: everything that reaches the report
// goes through one of these. Internal to eval/.
#pragma once

#include <string>
#include <string_view>


namespace llmpatch {

// `text` as HTML text or as the value of a quoted attribute: & < > " ' become references, invalid
// UTF-8 and control characters (but tab and newline) become U+FFFD.
std::string html_escape(std::string_view text);

}  // namespace llmpatch
