#include "eval/report_assets.h"

// The assembler copies the file as it is; cmake/ReportAssets.cmake names it.
asm(".section .rodata\n"
    ".hidden llmpatch_report_style_begin\n"
    ".hidden llmpatch_report_style_end\n"
    ".global llmpatch_report_style_begin\n"
    ".global llmpatch_report_style_end\n"
    "llmpatch_report_style_begin:\n"
    ".incbin \"" LLMPATCH_REPORT_STYLE
    "\"\n"
    "llmpatch_report_style_end:\n"
    ".previous\n");
extern "C" const char llmpatch_report_style_begin[];
extern "C" const char llmpatch_report_style_end[];

namespace llmpatch {

std::string_view report_style() { return {llmpatch_report_style_begin, llmpatch_report_style_end}; }

}  // namespace llmpatch
