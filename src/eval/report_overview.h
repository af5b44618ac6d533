// The head of report.html: systems, warnings, and safety against utility. Internal to eval/.
#pragma once

#include <string>

#include "eval/report_merge.h"

namespace llmpatch {

std::string overview_html(const Report& report);

}  // namespace llmpatch
