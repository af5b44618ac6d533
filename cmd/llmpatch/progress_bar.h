// A progress bar on stderr: drawn on a terminal, a plain line now and then elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "base/progress.h"

namespace llmpatch {

// Draws the progress of one stage. The bar appears only after two seconds. Not thread-safe.
class ProgressBar {
 public:
  // `label` names the stage ("sampling"), `unit` what is counted ("answers").
  ProgressBar(std::string label, std::string unit);
  ProgressBar(const ProgressBar&) = delete;  // callback() holds its address
  ProgressBar& operator=(const ProgressBar&) = delete;
  ~ProgressBar() { clear(); }

  // The stage has done `done` of `total`. Work done before the bar was made (a resumed job) is told
  // by the first call and does not count for the estimate.
  void update(std::uint64_t done, std::uint64_t total, const std::string& note = "");
  // Wipes the bar, so that a line can be printed; the next update draws it again.
  void clear();
  // A function that calls update(); valid as long as the bar.
  ProgressFn callback();

 private:
  using Clock = std::chrono::steady_clock;
  std::string label_, unit_;
  Clock::time_point start_, last_drawn_;
  std::uint64_t first_done_ = 0;
  bool started_ = false;
  bool terminal_ = false;
  bool drawn_ = false;
};

}  // namespace llmpatch
