#include "eval/systems_table.h"

#include <algorithm>
#include <array>
#include <span>

#include "base/utf8.h"
#include "eval/format.h"
#include "eval/refusals.h"

namespace llmpatch {
namespace {

// Of the columns behind the label.
constexpr std::array<const char*, 4> kHead{"", "against base", "p (Holm)", "recovered"};
constexpr std::size_t kColumnWidth = 24;
constexpr std::size_t kIndent = 4;

// One system's line below a metric; the cells are those of kHead, "" where there is nothing to say.
struct Line {
  std::string label;
  std::array<std::string, kHead.size()> cells;
};

std::size_t width_of(const std::string& text) { return count_characters(text); }

std::string padded(const std::string& text, std::size_t width) {
  const std::size_t own = width_of(text);
  return text + std::string(own < width ? width - own : 1, ' ');
}

std::string without_end_blanks(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

// The heading and lines of one metric, columns without a single cell left out.
std::string block(const std::string& metric, std::span<const Line> lines) {
  std::size_t labels = width_of(metric);
  for (const Line& line : lines) labels = std::max(labels, width_of(line.label) + 2);
  const auto row = [&](const std::string& first, const auto& cells) {
    std::string text = padded(first, labels + kIndent);
    for (std::size_t i = 0; i < kHead.size(); ++i) {
      const bool used =
          std::ranges::any_of(lines, [&](const Line& line) { return !line.cells[i].empty(); });
      if (used) text += padded(cells[i], kColumnWidth);
    }
    return without_end_blanks(text);
  };
  std::string text = row("  " + metric, kHead);
  for (const Line& line : lines) {
    text += row(std::string(kIndent, ' ') + line.label, line.cells);
  }
  return text;
}

std::string share_text(std::span<const Recovered> recovered, const System& system,
                       const std::string& metric) {
  for (const Recovered& one : recovered) {
    if (one.system == system && one.metric == metric) return estimate_text(one.share, 2);
  }
  return "";
}

// One line per system, its first cell made by `cell`.
template <class Cell>
std::vector<Line> lines_of(const SuiteResult& suite, const Cell& cell) {
  std::vector<Line> lines;
  for (const SystemResult& system : suite.systems) {
    lines.push_back({system.system.label(), {cell(system)}});
  }
  return lines;
}

std::string refused_block(const SuiteResult& suite) {
  const bool harmful = suite.suite.expect == Expect::kRefuse;
  std::vector<Line> lines =
      lines_of(suite, [](const SystemResult& system) { return percent_text(system.refused); });
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const System& system = suite.systems[i].system;
    for (const Comparison& pair : suite.comparisons) {
      if (pair.a == System::kBase && pair.b == system) lines[i].cells[2] = p_text(pair.p_holm);
    }
    lines[i].cells[3] = share_text(suite.recovered, system, refusal_metric(suite.suite));
  }
  return block(harmful ? "refused" : "over-refused", lines);
}

// The difference of a figure from the base's; points of a hundred for shares.
std::string difference_text(const MetricComparison& metric, const Figure& figure) {
  if (metric.n == 0) return "";
  Estimate difference = metric.difference;
  if (figure.is_share()) {
    difference.value *= 100;
    difference.interval = {100 * difference.interval.low, 100 * difference.interval.high};
  }
  std::string text = estimate_text(difference, figure.is_share() ? 1 : 3);
  return difference.value > 0 ? "+" + text : text;
}

}  // namespace

std::string system_rows(const SuiteResult& suite) {
  std::string text = suite.suite.name + ": " + std::to_string(suite.prompts.size()) +
                     " prompts to " + std::string(expect_name(suite.suite.expect)) + "\n" +
                     refused_block(suite);
  if (suite.systems.front().refused_scary) {
    text += block("of the scary-looking", lines_of(suite, [](const SystemResult& system) {
                    return system.refused_scary ? percent_text(*system.refused_scary)
                                                : std::string("-");
                  }));
  }
  return text + block("degenerate", lines_of(suite, [](const SystemResult& system) {
                        return percent_text(system.degenerate);
                      }));
}

std::string system_rows(const MeasuredSuite& suite) {
  std::string text = suite.suite.name + ": " + std::to_string(suite.n) + " prompts\n";
  for (const std::string& metric : suite.headline) {
    std::vector<Line> lines;
    for (const SystemMetrics& system : suite.systems) {
      const auto figure = std::ranges::find(system.figures, metric, &Figure::name);
      if (figure == system.figures.end()) continue;
      Line line{system.system.label(), {figure_text(*figure)}};
      for (const SystemComparison& pair : suite.comparisons) {
        if (pair.a != System::kBase || pair.b != system.system || pair.metric.metric != metric) {
          continue;
        }
        line.cells[1] = difference_text(pair.metric, *figure);
        if (pair.p_holm) line.cells[2] = p_text(*pair.p_holm);
      }
      line.cells[3] = share_text(suite.recovered, system.system, metric);
      lines.push_back(std::move(line));
    }
    if (!lines.empty()) text += block(metric, lines);
  }
  for (const SystemMetrics& system : suite.systems) {
    for (const std::string& note : system.notes) {
      text += "  " + system.system.label() + ": " + note + "\n";
    }
  }
  return text;
}

}  // namespace llmpatch
