#include "passphrase.h"

#include <termios.h>
#include <unistd.h>

#include <cstdio>

#include "base/file.h"
#include "terminal.h"

namespace llmpatch {
namespace {

constexpr std::size_t kMaxPassphrase = 1024;

Error invalid(const std::string& message) {
  return make_error(ErrorKind::kInvalidArgument, "passphrase", message);
}

// Switches the terminal's echo off while it lives.
class NoEcho {
 public:
  NoEcho() {
    changed_ = ::tcgetattr(STDIN_FILENO, &before_) == 0;
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    if (changed_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
  }
  NoEcho(const NoEcho&) = delete;
  NoEcho& operator=(const NoEcho&) = delete;
  ~NoEcho() {
    if (changed_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }

 private:
  termios before_{};
  bool changed_ = false;
};

// One line from the terminal, byte by byte: nothing may stay behind in a buffer.
Result<std::string> ask(const std::string& prompt) {
  const NoEcho quiet;  // before the prompt: whoever answers at once is not shown either
  std::fputs(prompt.c_str(), stderr);
  std::fflush(stderr);
  std::string line;
  char c = 0;
  ssize_t got = 0;
  while ((got = ::read(STDIN_FILENO, &c, 1)) == 1 && c != '\n') {
    line += c;
    if (line.size() > kMaxPassphrase) {
      return make_error(ErrorKind::kLimit, "passphrase", "found more than 1024 bytes");
    }
  }
  std::fputs("\n", stderr);
  if (got != 1) return make_error(ErrorKind::kCancelled, "passphrase", "interrupted");
  return line;
}

Result<std::string> first_line(const std::filesystem::path& file) {
  LLMPATCH_ASSIGN(std::string text, read_file(file, kMaxPassphrase, "passphrase"));
  text.resize(std::min(text.size(), text.find('\n')));
  if (!text.empty() && text.back() == '\r') text.pop_back();
  if (text.empty()) return invalid(file.string() + ": found an empty first line");
  // Other programs would take what is before it alone.
  if (text.find('\0') != std::string::npos) return invalid(file.string() + ": found a zero byte");
  return text;
}

}  // namespace

Result<std::optional<std::string>> read_passphrase(const std::filesystem::path& file, Ask times,
                                                   const std::string& key_name) {
  if (!file.empty()) {
    LLMPATCH_ASSIGN(std::string text, first_line(file));
    return std::optional(std::move(text));
  }
  if (::isatty(STDIN_FILENO) != 1) return std::optional<std::string>();
  const bool is_new = times == Ask::kTwice;
  LLMPATCH_ASSIGN(std::string text,
                  ask("Passphrase for " + key_name + (is_new ? " (none: just Enter): " : ": ")));
  if (is_new && !text.empty()) {
    LLMPATCH_ASSIGN(const std::string again, ask("The same again: "));
    if (again != text) return invalid("the two entries differ");
  }
  return std::optional(std::move(text));
}

}  // namespace llmpatch
