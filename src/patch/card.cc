#include "patch/card.h"

namespace llmpatch {

std::vector<EffectRow> card_effects(const Json& card) {
  std::vector<EffectRow> effects;
  if (!card.is_object() || !card.contains("headline")) return {};
  const Json& headline = card["headline"];
  if (!headline.is_array()) return {};
  for (const Json& entry : headline) {
    const auto suite = json_string(entry, "suite", "eval.json");
    const auto metric = json_string(entry, "metric", "eval.json");
    const auto system = json_string(entry, "system", "eval.json");
    const auto value = json_number(entry, "value", "eval.json");
    const auto low = json_number(entry, "low", "eval.json");
    const auto high = json_number(entry, "high", "eval.json");
    const auto n = json_integer(entry, "n", "eval.json");
    if (!suite.ok() || !metric.ok() || !system.ok() || !value.ok() || !low.ok() || !high.ok() ||
        !n.ok()) {
      return {};
    }
    effects.push_back({*suite, *metric, *system, *value, *low, *high, *n});
  }
  return effects;
}

}  // namespace llmpatch
