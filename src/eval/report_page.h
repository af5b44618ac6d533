// The frame of the pages that eval/ writes: one self-contained file without any script, whose
// content security policy allows the one style that is in it and nothing else. Internal to eval/.
#pragma once

#include <string>

namespace llmpatch {

// A page with `body` inside <main>; `title` is plain text. `more_style` is added to report.css.
std::string page_html(const std::string& title, const std::string& body,
                      const std::string& more_style = "");

}  // namespace llmpatch
