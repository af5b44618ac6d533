// The part of eval.json that patch/ reads: the headline numbers shown by `inspect` and README.md.
// The rest of the file belongs to eval/.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"

namespace llmpatch {

// One measured number of the card's array `headline`, as JSON
// {"suite", "metric", "system", "value", "low", "high", "n"}.
struct EffectRow {
  std::string suite;   // "harmbench"
  std::string metric;  // "refusal"
  std::string system;  // "base", "system", "patched"
  double value = 0;    // a fraction, or what the metric says
  double low = 0;      // 95 % interval
  double high = 0;
  std::int64_t n = 0;  // prompts
};

// The card's headline in its order. Entries of another form are left out, and a card without a
// headline gives nothing: a card is shown, never trusted.
std::vector<EffectRow> card_effects(const Json& card);

// The same numbers side by side: a row per suite and metric, a column per system, both in the order
// of their first appearance.
struct EffectTable {
  struct Row {
    std::string suite;
    std::string metric;
    std::vector<std::optional<EffectRow>> cells;  // one per system; empty where not measured
  };
  std::vector<std::string> systems;
  std::vector<Row> rows;
};
EffectTable effect_table(const std::vector<EffectRow>& effects);

// "0.95 [0.91, 0.97] n 200", or "" for a number that was not measured.
std::string effect_text(const std::optional<EffectRow>& effect);

}  // namespace llmpatch
