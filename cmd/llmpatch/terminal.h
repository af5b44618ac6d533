// Talk with the user: warnings and errors on stderr, data on stdout, Ctrl-C.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/cancel.h"
#include "base/result.h"

namespace llmpatch {

// One line on stderr, such as the plan of a long job.
void say(std::string_view text);
// "llmpatch: warning: text" on stderr.
void warn(std::string_view text);
// "llmpatch: error: [where] message" and its hint on stderr; returns the exit code of its kind.
int report(const Error& error);

// Text on stdout, as it is. kIo when it cannot be written (a full disk behind a redirection).
Status print(std::string_view text);

// Raised by the first Ctrl-C (or SIGTERM) after the call; a second one ends the process at once.
// The flag lives as long as the program.
const CancelFlag& watch_interrupts();

// "1 prompt", "200 prompts".
std::string count_text(std::uint64_t count, std::string_view noun);
// "850 MiB", "3.2 GiB".
std::string bytes_text(double bytes);
// "1:05", "2:03:00".
std::string duration_text(double seconds);

}  // namespace llmpatch
