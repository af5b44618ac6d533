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
  ~ProgressBar();  // clears the bar; prints nothing by itself

  void update(std::uint64_t done, std::uint64_t total, const std::string& note = "");
  // A function that calls update(); valid as long as the bar.
  ProgressFn callback();

 private:
  using Clock = std::chrono::steady_clock;
  std::string label_, unit_;
  Clock::time_point start_, last_drawn_;
  bool terminal_ = false;
  bool drawn_ = false;
};

}  // namespace llmpatch
