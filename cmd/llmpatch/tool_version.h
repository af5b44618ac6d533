// What this program is and what it runs with.
#pragma once

#include <string>

namespace llmpatch {

// One line for files that record who made them: "llmpatch 0.1.0 (llama.cpp 0.5.0-dev, ...)".
std::string tool_version();

// `llmpatch --version`: the program and its libraries, one a line.
std::string version_text();

// This process's command line, as one could type it again.
std::string command_line();

}  // namespace llmpatch
