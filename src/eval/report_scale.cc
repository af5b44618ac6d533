#include "eval/report_scale.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "eval/format.h"

namespace llmpatch {
namespace {

constexpr double kLargest = 1e15;  // beyond it nothing worth a chart, and steps round to nothing

// 1, 2 or 5 times a power of ten, so that a span has about four steps.
double step_of(double span) {
  const double raw = span / 4;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  const double lead = raw / power;
  return power * (lead <= 1.2 ? 1 : lead <= 2.5 ? 2 : lead <= 6 ? 5 : 10);
}

}  // namespace

double Scale1d::at(double value) const {
  if (!std::isfinite(value)) return value > 0 ? 1 : 0;
  return std::clamp((value - low) / (high - low), 0.0, 1.0);
}

Scale1d scale_around(std::span<const double> values, double within_low, double within_high) {
  double low = HUGE_VAL, high = -HUGE_VAL;
  for (const double value : values) {
    if (!std::isfinite(value)) continue;
    low = std::min(low, std::clamp(value, -kLargest, kLargest));
    high = std::max(high, std::clamp(value, -kLargest, kLargest));
  }
  if (!(low <= high)) low = 0, high = 1;
  const double first_value = low, last_value = high;
  // A span that doubles can still divide.
  const double least = std::max({std::fabs(low), std::fabs(high), 1e-9}) * 1e-3;
  if (high - low < least) low -= least, high += least;
  const double step = step_of(high - low);
  Scale1d scale;
  scale.low = std::max(std::floor(low / step + 1e-9) * step, std::min(within_low, first_value));
  scale.high = std::min(std::ceil(high / step - 1e-9) * step, std::max(within_high, last_value));
  const double first = std::ceil(scale.low / step - 1e-9);
  for (int i = 0; i < 10; ++i) {
    const double tick = (first + i) * step;
    if (tick > scale.high + 1e-9 * step) break;
    scale.ticks.push_back(tick == 0 ? 0 : tick);  // no "-0"
  }
  return scale;
}

Scale1d share_scale() { return {0, 1, {0, .25, .5, .75, 1}}; }

std::string tick_text(const Scale1d& scale, double tick, bool percent) {
  const double factor = percent ? 100 : 1;
  const double step = scale.ticks.size() > 1 ? factor * (scale.ticks[1] - scale.ticks[0]) : factor;
  const double size = std::max(std::fabs(scale.low), std::fabs(scale.high)) * factor;
  if (size >= 1e6 || step < 1e-6) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.3g", factor * tick);
    return text.data();
  }
  const int decimals = std::clamp(static_cast<int>(std::ceil(-std::log10(step) - 1e-9)), 0, 6);
  return fixed(factor * tick, decimals);
}

std::string svg_number(double value) {
  const std::string text = fixed(std::isfinite(value) ? value : 0, 1);
  return text == "-0.0" ? "0.0" : text;
}

}  // namespace llmpatch
