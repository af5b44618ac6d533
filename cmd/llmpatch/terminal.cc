#include "terminal.h"

#include <algorithm>
#include <csignal>
#include <cstdio>

namespace llmpatch {
namespace {

CancelFlag interrupted;

extern "C" void on_interrupt(int) { interrupted.raise(); }

// Without what a terminal would obey: names of files, and what servers say, may hold anything.
std::string visible(std::string_view text) {
  std::string shown;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7f) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\x%02x", static_cast<unsigned>(byte));
      shown += escaped;
    } else {
      shown += c;
    }
  }
  return shown;
}

void put_line(const std::string& text) {
  const std::string line = visible(text);
  std::fwrite(line.data(), 1, line.size(), stderr);
  std::fflush(stderr);
}

}  // namespace

void say(std::string_view text) { put_line(std::string(text) + "\n"); }

void warn(std::string_view text) { put_line("llmpatch: warning: " + std::string(text) + "\n"); }

int report(const Error& error) {
  Error on_one_line = error;
  for (std::string* part : {&on_one_line.message, &on_one_line.hint}) {
    std::replace(part->begin(), part->end(), '\n', ' ');
  }
  put_line("llmpatch: error: " + on_one_line.to_string() + "\n");
  return error_kind_info(error.kind).exit_code;
}

Status print(std::string_view text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (!written || std::fflush(stdout) != 0) {
    return make_error(ErrorKind::kIo, "output", "write to standard output: it takes no more data");
  }
  return {};
}

const CancelFlag& watch_interrupts() {
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  // One signal is ours, the next has its default effect. No SA_RESTART: a read from the keyboard
  // must end too.
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  return interrupted;
}

std::string count_text(std::uint64_t count, std::string_view noun) {
  return std::to_string(count) + " " + std::string(noun) + (count == 1 ? "" : "s");
}

std::string bytes_text(double bytes) {
  constexpr double kMiB = 1 << 20;
  constexpr double kGiB = 1 << 30;
  char text[32];
  if (bytes < kGiB) {
    std::snprintf(text, sizeof text, "%.0f MiB", bytes / kMiB);
  } else {
    std::snprintf(text, sizeof text, "%.1f GiB", bytes / kGiB);
  }
  return text;
}

std::string duration_text(double seconds) {
  const auto whole = static_cast<long>(seconds + 0.5);
  char text[48];
  if (whole < 3600) {
    std::snprintf(text, sizeof text, "%ld:%02ld", whole / 60, whole % 60);
  } else {
    std::snprintf(text, sizeof text, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
  }
  return text;
}

}  // namespace llmpatch
