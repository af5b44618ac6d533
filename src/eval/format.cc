#include "eval/format.h"

#include <array>
#include <cstdio>
#include <cstdlib>

namespace llmpatch {

std::string fixed(double value, int decimals) {
  std::array<char, 400> text{};  // the longest double has 309 digits before the point
  std::snprintf(text.data(), text.size(), "%.*f", decimals, value);
  return text.data();
}

double rounded(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.6g", value);
  return std::strtod(text.data(), nullptr);
}

std::string percent_text(const Proportion& proportion) {
  if (proportion.n == 0) return "-";
  const Interval interval = proportion.interval();
  return fixed(100 * proportion.value(), 1) + " % [" + fixed(100 * interval.low, 1) + ", " +
         fixed(100 * interval.high, 1) + "]";
}

std::string estimate_text(const Estimate& estimate, int decimals) {
  if (estimate.n == 0) return "-";
  return fixed(estimate.value, decimals) + " [" + fixed(estimate.interval.low, decimals) + ", " +
         fixed(estimate.interval.high, decimals) + "]";
}

std::string figure_text(const Figure& figure) {
  if (figure.estimate.n == 0) return "-";
  if (!figure.is_share()) {
    return estimate_text(figure.estimate, figure.estimate.value >= 10 ? 1 : 3);
  }
  const Interval interval = figure.estimate.interval;
  return fixed(100 * figure.estimate.value, 1) + " % [" + fixed(100 * interval.low, 1) + ", " +
         fixed(100 * interval.high, 1) + "]";
}

std::string p_text(double p) {
  if (p >= 0.001) return fixed(p, 3);
  if (p < 1e-300) return "< 1e-300";
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.0e", p);
  return text.data();
}

}  // namespace llmpatch
