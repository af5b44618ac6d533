#include "patch/card.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace llmpatch {
namespace {

constexpr std::string_view kWhere = "eval.json";

std::optional<EffectRow> effect_row(const Json& entry) {
  const auto suite = json_string(entry, "suite", kWhere);
  const auto metric = json_string(entry, "metric", kWhere);
  const auto system = json_string(entry, "system", kWhere);
  const auto value = json_number(entry, "value", kWhere);
  const auto low = json_number(entry, "low", kWhere);
  const auto high = json_number(entry, "high", kWhere);
  const auto n = json_integer(entry, "n", kWhere);
  if (!suite.ok() || !metric.ok() || !system.ok() || !value.ok() || !low.ok() || !high.ok() ||
      !n.ok()) {
    return std::nullopt;
  }
  return EffectRow{*suite, *metric, *system, *value, *low, *high, *n};
}

}  // namespace

std::vector<EffectRow> card_effects(const Json& card) {
  if (!card.is_object() || !card.contains("headline")) return {};
  const Json& headline = card["headline"];
  if (!headline.is_array()) return {};
  std::vector<EffectRow> effects;
  for (const Json& entry : headline) {
    if (auto row = effect_row(entry)) effects.push_back(std::move(*row));
  }
  return effects;
}

EffectTable effect_table(const std::vector<EffectRow>& effects) {
  EffectTable table;
  for (const EffectRow& effect : effects) {
    if (std::find(table.systems.begin(), table.systems.end(), effect.system) ==
        table.systems.end()) {
      table.systems.push_back(effect.system);
    }
  }
  for (const EffectRow& effect : effects) {
    auto row = std::find_if(table.rows.begin(), table.rows.end(), [&](const auto& known) {
      return known.suite == effect.suite && known.metric == effect.metric;
    });
    if (row == table.rows.end()) {
      table.rows.push_back({effect.suite, effect.metric, {}});
      row = std::prev(table.rows.end());
      row->cells.resize(table.systems.size());
    }
    const auto column = std::find(table.systems.begin(), table.systems.end(), effect.system);
    row->cells[static_cast<std::size_t>(column - table.systems.begin())] = effect;
  }
  return table;
}

std::string effect_text(const std::optional<EffectRow>& effect) {
  if (!effect) return "";
  std::array<char, 96> text{};
  std::snprintf(text.data(), text.size(), "%.3g [%.3g, %.3g] n %lld", effect->value, effect->low,
                effect->high, static_cast<long long>(effect->n));
  return text.data();
}

}  // namespace llmpatch
