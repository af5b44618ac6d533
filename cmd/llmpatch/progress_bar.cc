#include "progress_bar.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "terminal.h"

namespace llmpatch {
namespace {

double seconds_between(std::chrono::steady_clock::time_point from,
                       std::chrono::steady_clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

// Seconds between two drawings, and before the first.
constexpr double kFirst = 2, kTerminal = 0.2, kPlain = 15;

}  // namespace

ProgressBar::ProgressBar(std::string label, std::string unit)
    : label_(std::move(label)),
      unit_(std::move(unit)),
      start_(Clock::now()),
      last_drawn_(start_),
      terminal_(::isatty(STDERR_FILENO) == 1) {}

void ProgressBar::clear() {
  if (terminal_ && drawn_) std::fputs("\r\033[K", stderr);
  drawn_ = false;
}

void ProgressBar::update(std::uint64_t done, std::uint64_t total, const std::string& note) {
  const auto now = Clock::now();
  if (!started_) {
    started_ = true;
    first_done_ = done;
  }
  const double elapsed = seconds_between(start_, now);
  const double since_drawn = seconds_between(last_drawn_, now);
  const bool due = terminal_ ? elapsed > kFirst && (since_drawn > kTerminal || done == total)
                             : since_drawn > kPlain;
  if (!due) return;
  last_drawn_ = now;
  drawn_ = true;

  std::string left = "-:--";
  if (done > first_done_ && total >= done) {
    const double pace = elapsed / static_cast<double>(done - first_done_);
    left = duration_text(pace * static_cast<double>(total - done));
  }
  const std::string counts = std::to_string(done) + "/" + std::to_string(total) + " " + unit_;
  if (terminal_) {
    constexpr std::uint64_t kWidth = 24;
    const std::uint64_t filled = total == 0 ? 0 : std::min(kWidth, done * kWidth / total);
    std::string bar(filled, '#');
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
