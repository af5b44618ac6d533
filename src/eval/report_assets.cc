#include "eval/report_assets.h"

// The assembler copies the files as they are; cmake/ReportAssets.cmake names them.
#define LLMPATCH_EMBED(symbol, path)                 \
  asm(".section .rodata\n"                           \
      ".hidden llmpatch_" #symbol                    \
      "_begin\n"                                     \
      ".hidden llmpatch_" #symbol                    \
      "_end\n"                                       \
      ".global llmpatch_" #symbol                    \
      "_begin\n"                                     \
      ".global llmpatch_" #symbol                    \
      "_end\n"                                       \
      "llmpatch_" #symbol                            \
      "_begin:\n"                                    \
      ".incbin \"" path                              \
      "\"\n"                                         \
      "llmpatch_" #symbol                            \
      "_end:\n"                                      \
      ".previous\n");                                \
  extern "C" const char llmpatch_##symbol##_begin[]; \
  extern "C" const char llmpatch_##symbol##_end[]

LLMPATCH_EMBED(chart_js, LLMPATCH_CHART_JS);
LLMPATCH_EMBED(report_style, LLMPATCH_REPORT_STYLE);
LLMPATCH_EMBED(report_script, LLMPATCH_REPORT_SCRIPT);

namespace llmpatch {

std::string_view chart_js() { return {llmpatch_chart_js_begin, llmpatch_chart_js_end}; }
std::string_view report_style() { return {llmpatch_report_style_begin, llmpatch_report_style_end}; }
std::string_view report_script() {
  return {llmpatch_report_script_begin, llmpatch_report_script_end};
}

}  // namespace llmpatch
