#include "eval/report_forest.h"

#include <algorithm>
#include <cmath>

#include "eval/html.h"
#include "eval/report_marks.h"
#include "eval/report_scale.h"

namespace llmpatch {
namespace {

// Room at the ends of the axis for a mark's half and half a label, in percent of the width.
constexpr double kMargin = 6;

std::string x_of(const Scale1d& scale, double value) {
  return svg_number(kMargin + (100 - 2 * kMargin) * scale.at(value)) + "%";
}

Scale1d scale_of(const ForestGroup& group) {
  if (group.bars) return share_scale();
  std::vector<double> values;
  for (const ReportRow& row : group.metric->rows) {
    if (row.figure.n == 0) continue;
    values.insert(values.end(), {row.figure.low, row.figure.value, row.figure.high});
  }
  if (!group.percent) return scale_around(values, -HUGE_VAL, HUGE_VAL);
  const auto [low, high] = std::ranges::minmax(values);
  // What is near to everything or nothing is shown as that.
  if (high - low > 0.35) return share_scale();
  return scale_around(values, 0, 1);
}

std::string line_html(const std::string& x, const std::string& classes) {
  return "<line class=\"" + classes + "\" x1=\"" + x + "\" x2=\"" + x + "\" y1=\"0\" y2=\"100%\"/>";
}

std::string axis_html(const ForestGroup& group, const Scale1d& scale) {
  std::string svg = "<svg focusable=\"false\">";
  for (const double tick : scale.ticks) {
    svg += "<text x=\"" + x_of(scale, tick) + "\" y=\"100%\" dy=\"-4\">" +
           tick_text(scale, tick, group.percent) + "</text>";
  }
  return svg + "</svg>";
}

// Lines of the axis and of the models alone, which join up from row to row.
std::string ground_html(const ForestGroup& group, const Scale1d& scale,
                        const std::vector<ReportSystem>& systems) {
  std::string svg;
  for (const double tick : scale.ticks) svg += line_html(x_of(scale, tick), "tick");
  for (const ReportRow& row : group.metric->rows) {
    if (row.system >= systems.size() || !systems[row.system].base || row.figure.n == 0) continue;
    svg += line_html(x_of(scale, row.figure.value), "base c0");
  }
  return svg;
}

std::string mark_html(const ForestGroup& group, const Scale1d& scale, const ReportRow& row,
                      const std::vector<ReportSystem>& systems) {
  const ReportFigure& figure = row.figure;
  if (figure.n == 0) return "";
  const std::string at = x_of(scale, figure.value);
  std::string svg = "<g class=\"" + colour_class(systems, row.system) + "\">";
  if (group.bars) {
    const double width = (100 - 2 * kMargin) * scale.at(figure.value);
    svg += "<rect class=\"bar\" x=\"" + svg_number(kMargin) + "%\" width=\"" + svg_number(width) +
           "%\" y=\"25%\" height=\"50%\"/>";
  }
  svg += "<line class=\"whisker\" x1=\"" + x_of(scale, figure.low) + "\" x2=\"" +
         x_of(scale, figure.high) + "\" y1=\"50%\" y2=\"50%\"/>";
  if (!group.bars) {
    svg += "<svg x=\"" + at + "\" y=\"50%\"><path class=\"mark\" d=\"" +
           std::string(shape_path(systems, row.system)) + "\"/></svg>";
  }
  return svg + "</g>";
}

std::string row_html(const ForestGroup& group, const Scale1d& scale, const std::string& ground,
                     const ReportRow& row, const std::vector<ReportSystem>& systems) {
  std::string html = "<tr><th scope=\"row\">" + system_html(systems, row.system) +
                     "</th><td class=\"plot\" aria-hidden=\"true\"><svg focusable=\"false\">" +
                     ground + mark_html(group, scale, row, systems) +
                     "</svg></td><td class=\"figure\">" +
                     figure_html(row.figure, group.percent, group.prompts);
  for (const auto& [system, remark] : group.remarks) {
    if (system == row.system) html += " " + remark;
  }
  return html + "</td></tr>\n";
}

std::string group_html(const ForestGroup& group, const std::vector<ReportSystem>& systems) {
  const Scale1d scale = scale_of(group);
  const std::string ground = ground_html(group, scale, systems);
  std::string html =
      "<tbody>\n<tr class=\"metric\"><th scope=\"rowgroup\" colspan=\"3\">" + group.title_html;
  if (!group.hint.empty()) {
    html += " <span class=\"hint\">" + html_escape(group.hint) + "</span>";
  }
  html += "</th></tr>\n";
  std::vector<ReportRow> rows = group.metric->rows;
  std::ranges::stable_sort(rows, {}, &ReportRow::system);
  for (const ReportRow& row : rows) html += row_html(group, scale, ground, row, systems);
  return html + "<tr class=\"axis\" aria-hidden=\"true\"><td></td><td class=\"plot\">" +
         axis_html(group, scale) + "</td><td>" + (group.percent ? "%" : "") +
         "</td></tr>\n</tbody>\n";
}

}  // namespace

std::string forest_html(const std::string& caption_html, const std::vector<ForestGroup>& groups,
                        const std::vector<ReportSystem>& systems) {
  std::string bodies;
  for (const ForestGroup& group : groups) {
    const bool any = std::ranges::any_of(group.metric->rows,
                                         [](const ReportRow& row) { return row.figure.n > 0; });
    if (any) bodies += group_html(group, systems);
  }
  if (bodies.empty()) return "";
  return "<table class=\"forest\">\n<caption>" + caption_html +
         "</caption>\n<colgroup><col class=\"of\"><col class=\"drawn\"><col class=\"said\">"
         "</colgroup>\n<thead><tr><th scope=\"col\">System</th><td></td><th scope=\"col\">Figure, "
         "95 % interval, prompts</th></tr></thead>\n" +
         bodies + "</table>\n";
}

}  // namespace llmpatch
