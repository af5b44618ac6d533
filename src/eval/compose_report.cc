#include "eval/compose_report.h"

#include <algorithm>

#include "eval/format.h"

namespace llmpatch {
namespace {

constexpr std::size_t kFigureWidth = 24;

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(text.size(), width), ' ');
  return text;
}

std::string percent(double share) { return fixed(100 * share, 1) + " %"; }

std::string percent_text(const Estimate& share) {
  return percent(share.value) + " [" + fixed(100 * share.interval.low, 1) + ", " +
         fixed(100 * share.interval.high, 1) + "]";
}

std::string figure_cell(const Figure& figure) {
  if (figure.estimate.n == 0) return "-";
  if (figure.is_share()) return percent_text(figure.estimate);
  return estimate_text(figure.estimate, figure.estimate.value >= 10 ? 1 : 3);
}

// What people are shown: what stands for a suite or a patch's domain. The rest is in compose.json.
bool is_shown(const ComposeTable& table, const ModeMetric& metric) {
  return metric.headline || metric.over_refusal ||
         std::ranges::any_of(table.patches, [&](const StudiedPatch& patch) {
           return patch.domain == metric.name();
         });
}

// One block of the tables: a metric with a line for the base and for each mode.
struct Block {
  std::string title;
  struct Line {
    std::string label, figure, note;
  };
  std::vector<Line> lines;
};

// What a mode keeps in the domain that `metric` measures.
std::string kept_note(const ComposeResult& result, const ModeMetric& metric, std::size_t mode) {
  std::string note;
  for (const KeptImprovement& kept : result.recommendation.modes[mode].kept) {
    const StudiedPatch& patch = result.table.patches[kept.patch];
    if (!(patch.domain == metric.name()) || kept.kept.n == 0) continue;
    if (!note.empty()) note += ", ";
    note += patch.name + " keeps " + percent_text(kept.kept);
  }
  return note;
}

std::vector<Block> blocks_of(const ComposeResult& result) {
  const ComposeTable& table = result.table;
  const std::vector<std::string> names = table.names();
  std::vector<Block> blocks;
  for (const ModeMetric& metric : table.metrics) {
    if (!is_shown(table, metric)) continue;
    Block block{metric.suite + ": " + metric.base.name + ", " +
                    std::to_string(metric.base.values.size()) + " prompts, " +
                    (metric.higher_is_better ? "more" : "less") + " is better",
                {{"base", figure_cell(metric.base_figure), ""}}};
    for (std::size_t i = 0; i < table.modes.size(); ++i) {
      block.lines.push_back({mode_label(table.modes[i], names), figure_cell(metric.mode_figures[i]),
                             kept_note(result, metric, i)});
    }
    blocks.push_back(std::move(block));
  }
  for (const ModeFigure& figure : table.figures) {
    Block block{figure.suite + ": " + figure.name, {}};
    if (figure.base.n > 0) block.lines.push_back({"base", estimate_text(figure.base, 3), ""});
    for (std::size_t i = 0; i < figure.modes.size(); ++i) {
      block.lines.push_back(
          {mode_label(table.modes[i], names), estimate_text(figure.modes[i], 3), ""});
    }
    blocks.push_back(std::move(block));
  }
  return blocks;
}

// What a verdict rests on, a line each.
std::vector<std::string> grounds(const ComposeTable& table, const ModeVerdict& verdict) {
  std::vector<std::string> lines;
  for (const KeptImprovement& kept : verdict.kept) {
    const StudiedPatch& patch = table.patches[kept.patch];
    lines.push_back(patch.name + " keeps " + percent_text(kept.kept) +
                    " of what it improves alone in " + patch.domain.text());
    if (kept.alone.interval.low <= 0) {
      lines.push_back(patch.name +
                      " alone may improve nothing there: " + estimate_text(kept.alone, 3));
    }
  }
  for (const OverRefusalCheck& check : verdict.over_refusal) {
    lines.push_back("refuses " + percent(check.value) + " of " + check.suite + " (alone " +
                    percent(check.alone) + ")");
  }
  return lines;
}

std::string limits_text(const ComposeLimits& limits) {
  return "each patch keeps at least " + percent(limits.kept) +
         " of what it improves alone, and over-refusal is at most " +
         fixed(100 * limits.over_refusal, 1) + " points above that of the patches alone";
}

// The recommendation: its heading, and what it rests on; then every other mode and what it lacks.
struct Advice {
  std::string heading;
  std::vector<std::string> grounds;
  std::vector<std::pair<std::string, std::string>> others;
};

Advice advice_of(const ComposeResult& result) {
  const ComposeTable& table = result.table;
  const std::vector<std::string> names = table.names();
  const Recommendation& found = result.recommendation;
  Advice advice;
  if (found.mode) {
    advice.heading = "recommended: " + mode_label(table.modes[*found.mode], names);
    advice.grounds = grounds(table, found.modes[*found.mode]);
  } else {
    advice.heading = "recommended: none";
    advice.grounds = {"no way of composing all of them meets the limits: " +
                      limits_text(result.options.limits)};
  }
  for (std::size_t i = 0; i < table.modes.size(); ++i) {
    if (table.modes[i].is_alone() || i == found.mode) continue;
    std::string text;
    for (const std::string& reason : found.modes[i].reasons) {
      text += (text.empty() ? "" : "; ") + reason;
    }
    advice.others.emplace_back(mode_label(table.modes[i], names),
                               text.empty() ? "meets the limits" : text);
  }
  return advice;
}

}  // namespace

std::string compose_text(const ComposeResult& result) {
  std::string text;
  for (const Block& block : blocks_of(result)) {
    text += block.title + "\n";
    std::size_t width = 0;
    for (const Block::Line& line : block.lines) width = std::max(width, line.label.size());
    for (const Block::Line& line : block.lines) {
      std::string row = "  " + padded(line.label, width + 2);
      row += line.note.empty() ? line.figure : padded(line.figure, kFigureWidth) + line.note;
      text += row + "\n";
    }
  }
  const Advice advice = advice_of(result);
  text += advice.heading + "\n";
  for (const std::string& line : advice.grounds) text += "  " + line + "\n";
  for (const auto& [mode, reasons] : advice.others) text += mode + ": " + reasons + "\n";
  return text;
}

std::string compose_markdown(const ComposeResult& result) {
  const ComposeTable& table = result.table;
  const Advice advice = advice_of(result);
  std::string text = "# Composition of ";
  for (std::size_t i = 0; i < table.patches.size(); ++i) {
    text += (i == 0 ? "" : i + 1 == table.patches.size() ? " and " : ", ") + table.patches[i].name;
  }
  text += "\n\n**" + advice.heading + "**\n\n";
  for (const std::string& line : advice.grounds) text += "- " + line + "\n";
  text += "\nThe rule: " + limits_text(result.options.limits) + ".\n";
  if (!advice.others.empty()) text += "\n| other way | |\n| --- | --- |\n";
  for (const auto& [mode, reasons] : advice.others) text += "| " + mode + " | " + reasons + " |\n";
  text += "\n| patch | version | risk | its metric |\n| --- | --- | --- | --- |\n";
  for (const StudiedPatch& patch : table.patches) {
    text += "| " + patch.name + " | " + patch.version + " | " + patch.risk + " | " +
            patch.domain.text() + " |\n";
  }
  for (const Block& block : blocks_of(result)) {
    text += "\n## " + block.title + "\n\n| mode | value [95 % interval] | |\n| --- | --- | --- |\n";
    for (const Block::Line& line : block.lines) {
      text += "| " + line.label + " | " + line.figure + " | " + line.note + " |\n";
    }
  }
  text += "\nModel: " + result.architecture + ", sha256 " + result.model_sha256 + ". Seed " +
          std::to_string(result.options.eval.seed) + ". " + result.options.eval.tool_version +
          ".\n\n```\n" + result.options.eval.command + "\n```\n";
  return text;
}

std::vector<TestedStack> tested_stacks(const ComposeResult& result, std::size_t place) {
  const ComposeTable& table = result.table;
  std::vector<TestedStack> stacks;
  for (std::size_t i = 0; i < table.modes.size(); ++i) {
    const ModeVerdict& verdict = result.recommendation.modes[i];
    const auto kept = std::ranges::find(verdict.kept, place, &KeptImprovement::patch);
    if (kept == verdict.kept.end() || kept->kept.n == 0) continue;
    TestedStack stack;
    for (const std::size_t patch : table.modes[i].patches) {
      stack.patches.push_back(table.patches[patch].name + "@" + table.patches[patch].version);
    }
    // Without an order the same set is the same entry, however it was named.
    if (table.modes[i].compose == Compose::kParallel) std::ranges::sort(stack.patches);
    stack.compose = mode_kind(table.modes[i]);
    stack.suite = table.patches[place].domain.suite;
    stack.metric = table.patches[place].domain.metric;
    stack.kept = kept->kept.value;
    stack.low = kept->kept.interval.low;
    stack.high = kept->kept.interval.high;
    stack.prompts = static_cast<std::int64_t>(kept->kept.n);
    for (const OverRefusalCheck& check : verdict.over_refusal) {
      stack.over_refusal = std::max(stack.over_refusal.value_or(0), check.value);
    }
    stacks.push_back(std::move(stack));
  }
  return stacks;
}

Status write_compose(const ComposeResult& result, const std::filesystem::path& out,
                     Overwrite overwrite) {
  std::error_code code;
  std::filesystem::create_directories(out, code);
  if (code) {
    return make_error(ErrorKind::kIo, "compose", "create " + out.string() + ": " + code.message());
  }
  if (overwrite == Overwrite::kNo && std::filesystem::exists(out / "compose.json", code)) {
    return make_error(ErrorKind::kExists, "compose",
                      "write " + (out / "compose.json").string() + ": it exists already",
                      "choose another directory or say --force");
  }
  LLMPATCH_TRY(write_file_atomic(out / "compose.md", compose_markdown(result)));
  return write_file_atomic(out / "compose.json", json_pretty(compose_json(result)), overwrite);
}

}  // namespace llmpatch
