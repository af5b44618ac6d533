// Files that are built into the program for report.html. Internal to eval/.
#pragma once

#include <string_view>

namespace llmpatch {

std::string_view chart_js();       // Chart.js, minified, with its licence banner (MIT)
std::string_view report_style();   // report/report.css
std::string_view report_script();  // report/report.js

}  // namespace llmpatch
