// Axes of report.html's charts. Internal to eval/.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace llmpatch {

// A straight axis from `low` to `high`, low < high, both finite.
struct Scale1d {
  double low = 0, high = 1;
  std::vector<double> ticks;  // within it, round numbers, rising; 2 to 7 of them

  // Where `value` lies, 0 at `low` and 1 at `high`; what is beyond lies at the end.
  double at(double value) const;
};

// An axis that has all of `values` (those that are not finite do not count) and ends on ticks.
// `within_low` and `within_high` are where the quantity itself ends: a share does not go past 1.
Scale1d scale_around(std::span<const double> values, double within_low, double within_high);
// From 0 to 1, ticks every quarter.
Scale1d share_scale();

// A tick's label: as few digits as its neighbours allow; shares in percent.
std::string tick_text(const Scale1d& scale, double tick, bool percent);

// A coordinate of SVG: one digit after the point.
std::string svg_number(double value);

}  // namespace llmpatch
