// Files that are built into the program for report.html. Internal to eval/.
#pragma once

#include <string_view>

namespace llmpatch {

std::string_view report_style();  // report/report.css

}  // namespace llmpatch
