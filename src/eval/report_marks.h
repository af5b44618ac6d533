// How systems look in report.html: a letter, a colour and a shape each, so that they can be told
// apart without colours, too. Internal to eval/.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "eval/report_card.h"

namespace llmpatch {

// "A" ... "Z", "AA" ...: by the system's place.
std::string system_letter(std::size_t system);
// A class of report.css that sets `color`; grey for models alone. kNoSystem: the text's colour.
std::string colour_class(const std::vector<ReportSystem>& systems, std::size_t system);
// The path of the system's shape around 0, 0, about 10 pixels wide.
std::string_view shape_path(const std::vector<ReportSystem>& systems, std::size_t system);
// The dashes of its lines, for stroke-dasharray; "" is a whole line.
std::string_view dashes(std::size_t system);

// Mark, letter and label, for text; the label is escaped and kept apart from its surroundings.
std::string system_html(const std::vector<ReportSystem>& systems, std::size_t system);

}  // namespace llmpatch
