#include "patch/inspect.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>

#include "base/join.h"
#include "base/quote.h"
#include "patch/expiry.h"

namespace llmpatch {
namespace {

constexpr std::size_t kShownList = 8;  // longer arrays are only counted

// One line of the console: a label in a column of its own.
std::string line(std::string_view label, const std::string& text) {
  std::string padded(label);
  padded.resize(std::max<std::size_t>(padded.size(), 10), ' ');
  return padded + text + "\n";
}

std::string number(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.4g", value);
  return text.data();
}

// A word of free form, safe for a terminal: quote() without the quotes.
std::string plain(const std::string& text) {
  const std::string quoted = quote(text);
  return quoted.substr(1, quoted.size() - 2);
}

// A member of free form on one line, safe for a terminal.
std::string shown(const Json& value) {
  if (value.is_string()) return quote(value.get_ref<const std::string&>());
  if (value.is_array() && value.size() > kShownList) {
    return std::to_string(value.size()) + " values";
  }
  const std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
  return text.size() <= 80 ? text : text.substr(0, 80) + "...";
}

// The members of `object`, one a line; one level of nested objects is written as "outer.inner".
std::string members(std::string_view label, const Json& object) {
  std::string text;
  const auto add = [&](const std::string& key, const Json& value) {
    text += line(text.empty() ? label : "", key + " " + shown(value));
  };
  for (const auto& [key, value] : object.items()) {
    if (!value.is_object()) {
      add(plain(key), value);
      continue;
    }
    for (const auto& [inner, inner_value] : value.items()) {
      add(plain(key) + "." + plain(inner), inner_value);
    }
  }
  return text;
}

// A row per suite and metric, the systems side by side.
std::string effect_lines(const std::vector<EffectRow>& effects) {
  const EffectTable table = effect_table(effects);
  std::string text;
  for (const EffectTable::Row& row : table.rows) {
    std::string numbers;
    for (std::size_t i = 0; i < row.cells.size(); ++i) {
      if (!row.cells[i]) continue;
      numbers +=
          (numbers.empty() ? "" : ", ") + plain(table.systems[i]) + " " + effect_text(row.cells[i]);
    }
    text += line(text.empty() ? "effect" : "",
                 plain(row.suite) + " " + plain(row.metric) + ": " + numbers);
  }
  return text.empty() ? line("effect", "not measured") : text;
}

Json effects_json(const std::vector<EffectRow>& effects) {
  Json array = Json::array();
  for (const EffectRow& row : effects) {
    array.push_back({{"suite", row.suite},
                     {"metric", row.metric},
                     {"system", row.system},
                     {"value", row.value},
                     {"low", row.low},
                     {"high", row.high},
                     {"n", row.n}});
  }
  return array;
}

}  // namespace

std::string norms_text(const RowStatistics& statistics) {
  return number(statistics.norm_min) + " / " + number(statistics.norm_median) + " / " +
         number(statistics.norm_max);
}

Json norms_json(const RowStatistics& statistics) {
  return {{"norm_min", statistics.norm_min},
          {"norm_median", statistics.norm_median},
          {"norm_max", statistics.norm_max},
          {"rms", statistics.rms}};
}

Json PatchReport::to_json() const {
  Json shape = norms_json(statistics);
  shape["n"] = rows;
  shape["d"] = width;
  Json tested = manifest.compose.tested;
  for (const TestedStack& stack : manifest.compose.tested_stacks) {
    tested.push_back(Json(tested_stack_to_json(stack)));
  }
  return {{"name", manifest.name},
          {"version", manifest.version},
          {"sequence", manifest.sequence},
          {"expires", manifest.expires ? Json(*manifest.expires) : Json()},
          {"expired", is_expired},
          {"refused", refusal.empty() ? Json() : Json(refusal)},
          {"risk", manifest.risk},
          {"summary", manifest.summary},
          {"license", manifest.license},
          {"signed", is_signed},
          {"base", base_identity_to_json(manifest.base)},
          {"learned", manifest.learned},
          {"requires", manifest.required},
          {"compose", {{"conflicts", manifest.compose.conflicts}, {"tested", tested}}},
          {"files", manifest.files},
          {"rows", shape},
          {"effects", effects_json(effects)}};
}

std::string PatchReport::to_text() const {
  std::string text = manifest.name + " " + manifest.version + "\n";
  if (!manifest.summary.empty()) text += manifest.summary + "\n";
  text += "\n";
  text += line("risk", manifest.risk) + line("license", manifest.license);
  text += line("sequence", std::to_string(manifest.sequence));
  if (manifest.expires) {
    text += line("expires", *manifest.expires + (is_expired ? " (EXPIRED)" : ""));
  }
  text += line("signature", signature);
  if (!refusal.empty()) text += line("refused", refusal);
  text += line("rows", std::to_string(rows) + " x " + std::to_string(width) + ", norm " +
                           norms_text(statistics) + " (min / median / max), rms " +
                           number(statistics.rms));
  text += line("base", quote(manifest.base.name) + ", " + quote(manifest.base.architecture) +
                           ", sha256 " + manifest.base.file);
  text += members("learned", manifest.learned);
  if (!manifest.required.empty()) text += line("requires", join(manifest.required, ", "));
  if (!manifest.compose.conflicts.empty()) {
    text += line("conflicts", join(manifest.compose.conflicts, ", "));
  }
  if (!manifest.compose.tested.empty()) text += line("tested", join(manifest.compose.tested, ", "));
  for (const TestedStack& stack : manifest.compose.tested_stacks) {
    text += line("tested", tested_stack_text(stack));
  }
  text += effect_lines(effects);
  bool first = true;
  for (const auto& [name, digest] : manifest.files) {
    text += line(first ? "files" : "", digest + "  " + name);
    first = false;
  }
  return text;
}

PatchReport inspect_patch(const Patch& patch) {
  PatchReport report;
  report.manifest = patch.manifest;
  report.rows = patch.rows.n;
  report.width = patch.rows.d;
  report.statistics = row_statistics(patch.rows);
  if (patch.card) report.effects = card_effects(*patch.card);
  report.is_signed = patch.is_signed;
  report.is_expired = has_expired(patch.manifest);
  report.signature = patch.is_signed ? "model.sig is there; not checked" : "none";
  return report;
}

}  // namespace llmpatch
