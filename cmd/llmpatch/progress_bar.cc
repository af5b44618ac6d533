#include "progress_bar.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace llmpatch {
namespace {

std::string duration_text(double seconds) {
  char text[32];
  const auto whole = static_cast<long>(seconds + 0.5);
  std::snprintf(text, sizeof text, "%ld:%02ld", whole / 60, whole % 60);
  return text;
}

}  // namespace

ProgressBar::ProgressBar(std::string label, std::string unit)
    : label_(std::move(label)),
      unit_(std::move(unit)),
      start_(Clock::now()),
      last_drawn_(start_),
      terminal_(::isatty(STDERR_FILENO) == 1) {}

ProgressBar::~ProgressBar() {
  if (terminal_ && drawn_) std::fputs("\r\033[K", stderr);
}

void ProgressBar::update(std::uint64_t done, std::uint64_t total, const std::string& note) {
  using Seconds = std::chrono::duration<double>;
  const auto now = Clock::now();
  const double elapsed = Seconds(now - start_).count();
  const double since_drawn = Seconds(now - last_drawn_).count();
  const bool due = terminal_ ? elapsed > 2 && (since_drawn > 0.2 || done == total)
                             : since_drawn > 15;
  if (!due) return;
  last_drawn_ = now;
  drawn_ = true;
  const double share = total == 0 ? 0 : std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
  const std::string left = share > 0 ? duration_text(elapsed * (1 - share) / share) : "-:--";
  const std::string counts = std::to_string(done) + "/" + std::to_string(total) + " " + unit_;
  if (terminal_) {
    constexpr int kWidth = 24;
    const int filled = static_cast<int>(share * kWidth);
    std::string bar(static_cast<std::size_t>(filled), '#');
    bar.resize(kWidth, '.');
    std::fprintf(stderr, "\r\033[K%-10s [%s] %s, %s left  %s", label_.c_str(), bar.c_str(),
                 counts.c_str(), left.c_str(), note.c_str());
  } else {
    std::fprintf(stderr, "%s: %s, %s left  %s\n", label_.c_str(), counts.c_str(), left.c_str(),
                 note.c_str());
  }
  std::fflush(stderr);
}

ProgressFn ProgressBar::callback() {
  return [this](std::uint64_t done, std::uint64_t total, const std::string& note) {
    update(done, total, note);
  };
}

}  // namespace llmpatch
