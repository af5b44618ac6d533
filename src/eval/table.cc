// The console table of an evaluation: before and after, side by side.
#include <algorithm>

#include "eval/card.h"
#include "eval/format.h"
#include "eval/systems_table.h"

namespace llmpatch {
namespace {

constexpr std::size_t kLabelWidth = 25;
constexpr std::size_t kColumnWidth = 22;

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(text.size(), width), ' ');
  return text;
}

// A line of cells under the columns base, system-prompt, patch, p; trailing blanks are cut.
std::string row(const std::string& label, const std::vector<std::string>& cells,
                std::size_t label_width = kLabelWidth) {
  std::string line = padded(label, label_width);
  for (const auto& cell : cells) {
    line = padded(line, line.size() + (line.ends_with(' ') ? 0 : 1)) + padded(cell, kColumnWidth);
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

// One cell per system, "" where it was not measured; `figure` gives a cell from a SystemResult.
template <class Figure>
std::vector<std::string> cells_of(const SuiteResult& suite, const Figure& figure) {
  std::vector<std::string> cells;
  for (const System* system : {&System::kBase, &System::kSystemPrompt, &System::kPatched}) {
    const SystemResult* measured = suite.find(*system);
    cells.push_back(measured == nullptr ? "" : figure(*measured));
  }
  return cells;
}

// The column p: McNemar's, base against patch; "" without a patch.
std::string p_of_patch(const SuiteResult& suite) {
  for (const auto& pair : suite.comparisons) {
    if (pair.a == System::kBase && pair.b == System::kPatched) return p_text(pair.p);
  }
  return "";
}

std::string suite_rows(const SuiteResult& suite) {
  const std::size_t n = suite.prompts.size();
  std::string title = suite.suite.name + ": " + std::to_string(n) + " prompts to " +
                      std::string(expect_name(suite.suite.expect));
  const SystemResult* system = suite.find(System::kSystemPrompt);
  if (system != nullptr && system->refused.n < n) {
    title += ", system-prompt on the first " + std::to_string(system->refused.n);
  }
  std::string text = title + "\n";
  const bool harmful = suite.suite.expect == Expect::kRefuse;
  auto refused = cells_of(suite, [](const SystemResult& s) { return percent_text(s.refused); });
  refused.push_back(p_of_patch(suite));
  text += row(harmful ? "  refused" : "  over-refused", refused);
  const bool scary = suite.find(System::kBase)->refused_scary.has_value();
  if (scary) {
    text += row("  of the scary-looking", cells_of(suite, [](const SystemResult& s) {
                  return s.refused_scary ? percent_text(*s.refused_scary) : "-";
                }));
  }
  text += row("  degenerate",
              cells_of(suite, [](const SystemResult& s) { return percent_text(s.degenerate); }));
  text +=
      row("  trigram repetition",
          cells_of(suite, [](const SystemResult& s) { return estimate_text(s.repetition, 3); }));
  if (suite.side_effects) {
    const SideEffects& effects = *suite.side_effects;
    text += row("  KL to base per token", {"", "", estimate_text(effects.kl, 3)});
    text += row("  KL, first 8 tokens", {"", "", estimate_text(effects.kl_first, 3)});
    text += row("  perplexity under base", {estimate_text(effects.perplexity_base, 2), "",
                                            estimate_text(effects.perplexity_patched, 2)});
  }
  return text;
}

// The column p of a metric: base against patch, adjusted; "" without a test.
std::string p_of_patch(const MeasuredSuite& suite, const std::string& metric) {
  for (const auto& pair : suite.comparisons) {
    if (pair.a == System::kBase && pair.b == System::kPatched && pair.metric.metric == metric &&
        pair.p_holm) {
      return p_text(*pair.p_holm);
    }
  }
  return "";
}

std::string suite_rows(const MeasuredSuite& suite) {
  std::vector<std::string> head, metrics;
  for (const auto& system : suite.systems) {
    head.emplace_back(system_name(system.system));
    for (const auto& figure : system.figures) {
      if (std::ranges::find(metrics, figure.name) == metrics.end()) metrics.push_back(figure.name);
    }
  }
  head.emplace_back("p (Holm)");
  const std::string title = suite.suite.name + ": " + std::to_string(suite.n) + " prompts";
  std::size_t width = title.size();
  for (const auto& metric : metrics) width = std::max(width, metric.size());
  width += 3;  // the indentation, and a blank
  std::string text = row(title, head, width);
  for (const auto& metric : metrics) {
    std::vector<std::string> cells;
    for (const auto& system : suite.systems) {
      const auto figure = std::ranges::find(system.figures, metric, &Figure::name);
      cells.push_back(figure == system.figures.end() ? "" : figure_text(*figure));
    }
    cells.push_back(p_of_patch(suite, metric));
    text += row("  " + metric, cells, width);
  }
  for (const auto& [system, metric, share] : suite.recovered) {
    if (system != System::kPatched) continue;
    if (std::ranges::find(suite.headline, metric) == suite.headline.end()) continue;
    text += "  recovered of " + metric + ": " + estimate_text(share, 2) + "\n";
  }
  for (const auto& system : suite.systems) {
    for (const auto& note : system.notes) {
      text += "  " + std::string(system_name(system.system)) + ": " + note + "\n";
    }
  }
  return text;
}

std::string compliance_rows(const Compliance& compliance) {
  return "compliance: log-probability per token, " + std::to_string(compliance.prompts) +
         " prompts of " + compliance.suite + "\n" +
         row("  affirmative openings", {estimate_text(compliance.openings_base, 2), "",
                                        estimate_text(compliance.openings_patched, 2)}) +
         row("  base answer, from 16th", {estimate_text(compliance.answer_base, 2), "",
                                          estimate_text(compliance.answer_patched, 2)});
}

std::string timing_rows(const Timing& timing) {
  return "time: one request at a time, in turn\n" +
         row("  first token, ms", {fixed(1000 * timing.first_token_base.value, 1), "",
                                   fixed(1000 * timing.first_token_patched.value, 1)}) +
         row("  tokens per second", {fixed(timing.tokens_per_second_base.value, 1), "",
                                     fixed(timing.tokens_per_second_patched.value, 1)}) +
         row("  ratio, first token", {"", "", estimate_text(timing.first_token_ratio, 2)}) +
         row("  ratio, tokens/s", {"", "", estimate_text(timing.tokens_per_second_ratio, 2)});
}

}  // namespace

std::string eval_table(const EvalResult& result) {
  std::string text;
  const bool many = !result.options.systems.empty();
  if (!result.suites.empty() && !many) text = row("", {"base", "system-prompt", "patch", "p"});
  for (const auto& suite : result.suites) text += many ? system_rows(suite) : suite_rows(suite);
  for (const auto& suite : result.measured) text += many ? system_rows(suite) : suite_rows(suite);
  if (many && (result.compliance || result.timing)) {
    text += row("", {"base", "", "patch"});
  }
  if (result.compliance) text += compliance_rows(*result.compliance);
  if (result.timing) text += timing_rows(*result.timing);
  return text;
}

}  // namespace llmpatch
