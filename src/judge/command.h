// Any program as a judge: it reads items as JSON lines and writes scores as JSON lines.
#pragma once

#include <memory>

#include "judge/judge.h"
#include "judge/judge_file.h"

namespace llmpatch {

// Members of the file: `command` (the program, found in PATH, and its arguments; no shell), and
// `seconds` (600; what one run may take). Every call of score() runs the program once, with one
// line
// {"prompt", "response"} an item on its standard input (a socket); it writes one line {"score": x}
// an item, x in [0, 1], in the same order, and exits with 0. Other members of its lines are
// ignored; its standard error is shown as it is.
//
// score(): kNotFound: no such program; kLimit: too slow, or more output than 1 KiB an item;
// kCorrupt: a line that is no score, or too few or too many of them; kIo: another exit code;
// kCancelled.
Result<std::unique_ptr<Judge>> make_command_judge(JudgeFile& file, const JudgeOptions& options);

}  // namespace llmpatch
