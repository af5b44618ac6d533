// Figures as people read them. Internal to eval/.
#pragma once

#include <string>

#include "eval/metric.h"

namespace llmpatch {

// `value` with `decimals` digits after the point, as in "3.14".
std::string fixed(double value, int decimals);
// To six significant digits: more than any figure here means, and files that people can read.
double rounded(double value);
// "93.0 % [88.6, 95.8]"; "-" for n = 0.
std::string percent_text(const Proportion& proportion);
// "0.075 [0.070, 0.081]"; "-" for n = 0.
std::string estimate_text(const Estimate& estimate, int decimals);
// A share as percent_text shows it, anything else as estimate_text does; "-" without a value.
std::string figure_text(const Figure& figure);
// A p-value: "0.034", "2e-11", "< 1e-300".
std::string p_text(double p);

}  // namespace llmpatch
