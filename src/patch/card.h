// The part of eval.json that patch/ reads: the headline numbers shown by `inspect` and README.md.
// The rest of the file belongs to eval/.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"

namespace llmpatch {

// One measured number of the card's array `headline`, as JSON
// {"suite", "metric", "system", "value", "low", "high", "n"}.
struct EffectRow {
  std::string suite;   // "harmbench"
  std::string metric;  // "refusal"
  std::string system;  // "base", "system-prompt", "patch"
  double value = 0;    // a fraction, or what the metric says
  double low = 0;      // 95 % interval
  double high = 0;
  std::int64_t n = 0;  // prompts
};

// The card's headline in its order. A card without one, or an entry of another form, gives nothing:
// a card is shown, never trusted.
std::vector<EffectRow> card_effects(const Json& card);

}  // namespace llmpatch
