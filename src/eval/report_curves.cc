#include "eval/report_curves.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "eval/html.h"
#include "eval/report_chart.h"
#include "eval/report_marks.h"
#include "eval/report_metric.h"

namespace llmpatch {
namespace {

constexpr std::size_t kDrawnSteps = 400;  // more points than pixels are thinned out

std::string text_of(const Json& line, const char* key) {
  const auto found = line.find(key);
  if (found == line.end()) return "";
  if (found->is_string()) return found->get<std::string>();
  return found->is_number_integer() ? std::to_string(found->get<std::int64_t>()) : "";
}

// The steps of the file and the series over all of them.
struct Steps {
  std::vector<std::string> steps;
  std::vector<std::pair<std::size_t, std::string>> stages;
  std::map<std::string, std::vector<std::optional<double>>> series;
};

Steps read_steps(const std::vector<JsonLine>& metrics) {
  Steps out;
  std::map<std::pair<std::string, std::string>, std::size_t> place_of;
  for (const JsonLine& line : metrics) {
    const std::string stage = text_of(line.value, "stage"), step = text_of(line.value, "step");
    const auto [place, is_new] = place_of.try_emplace({stage, step}, out.steps.size());
    if (is_new) {
      if (out.stages.empty() || out.stages.back().second != stage) {
        out.stages.emplace_back(out.steps.size(), stage);
      }
      out.steps.push_back(step);
    }
    for (const auto& [name, value] : line.value.items()) {
      if (name == "step" || !value.is_number()) continue;
      if (!out.series.contains(name) && out.series.size() == kMaxCurveSeries) continue;
      auto& values = out.series[name];
      values.resize(out.steps.size());
      values[place->second] = value.get<double>();
    }
  }
  return out;
}

// Every so many steps one, so that a chart has at most kDrawnSteps; the last one stays.
LineChart thinned(const Curve& curve) {
  LineChart chart;
  const std::size_t n = curve.steps.size();
  const std::size_t stride = (n + kDrawnSteps - 1) / kDrawnSteps;
  std::vector<std::size_t> kept;
  for (std::size_t i = 0; i < n; i += std::max<std::size_t>(stride, 1)) kept.push_back(i);
  if (!kept.empty() && kept.back() + 1 != n) kept.push_back(n - 1);
  for (const std::size_t i : kept) chart.labels.push_back(curve.steps[i]);
  for (const auto& [step, stage] : curve.stages) {
    const auto place = std::ranges::lower_bound(kept, step);
    chart.parts.emplace_back(static_cast<std::size_t>(place - kept.begin()), stage);
  }
  for (std::size_t s = 0; s < curve.series.size(); ++s) {
    LineSeries series;
    series.colour = "c" + std::to_string(1 + s % 6);
    series.dashes = dashes(s);
    for (const std::size_t i : kept) {
      // A value that was logged between two kept steps stands for them.
      std::optional<double> value;
      for (std::size_t j = i; j < std::min(i + std::max<std::size_t>(stride, 1), n); ++j) {
        if (value) break;
        value = curve.series[s].values[j];
      }
      series.values.push_back(value);
    }
    chart.series.push_back(std::move(series));
  }
  return chart;
}

std::string legend_html(const LineSeries& series) {
  return "<svg class=\"dash " + series.colour +
         "\" width=\"26\" height=\"8\" aria-hidden=\"true\"><line x1=\"0\" x2=\"26\" y1=\"4\" "
         "y2=\"4\"" +
         (series.dashes.empty() ? "" : " stroke-dasharray=\"" + series.dashes + "\"") + "/></svg> ";
}

std::string row_html(const CurveSeries& series, const LineSeries& drawn) {
  std::vector<double> values;
  for (const auto& value : series.values) {
    if (value) values.push_back(*value);
  }
  std::string html =
      "<tr><th scope=\"row\">" + legend_html(drawn) + html_escape(series.name) + "</th>";
  const auto [low, high] = std::ranges::minmax(values);
  for (const double value : {values.front(), values.back(), low, high}) {
    html += "<td>" + number_text(value, false) + "</td>";
  }
  return html + "<td>" + std::to_string(values.size()) + "</td></tr>\n";
}

std::string curve_html(const Curve& curve) {
  LineChart chart = thinned(curve);
  chart.title = "Learning curve: " + curve.title;
  chart.x_title = "step";
  const std::string title = html_escape(curve.title);
  std::string html =
      "<figure>\n<figcaption>" + title + "</figcaption>\n" + line_svg(chart) +
      "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Figures of " + title +
      "\"><table class=\"small\"><thead><tr><th scope=\"col\">Metric</th><th "
      "scope=\"col\">First</th><th scope=\"col\">Last</th><th "
      "scope=\"col\">Lowest</th><th scope=\"col\">Highest</th><th "
      "scope=\"col\">Values</th></tr></thead><tbody>\n";
  for (std::size_t i = 0; i < curve.series.size(); ++i) {
    html += row_html(curve.series[i], chart.series[i]);
  }
  return html + "</tbody></table></div>\n</figure>\n";
}

}  // namespace

std::vector<Curve> learning_curves(const std::vector<JsonLine>& metrics) {
  Steps steps = read_steps(metrics);
  std::vector<Curve> curves;
  for (auto& [name, values] : steps.series) {
    const std::string title = name.substr(0, name.find('/'));
    auto curve = std::ranges::find(curves, title, &Curve::title);
    if (curve == curves.end()) {
      curves.push_back({title, steps.steps, steps.stages, {}});
      curve = curves.end() - 1;
    }
    values.resize(steps.steps.size());
    curve->series.push_back({name, std::move(values)});
  }
  return curves;
}

std::string curves_html(const std::vector<LearningRun>& runs) {
  std::string html;
  for (const LearningRun& run : runs) {
    if (run.curves.empty()) continue;
    if (!run.name.empty()) html += "<h3>" + html_escape(run.name) + "</h3>\n";
    html += "<div class=\"charts\">\n";
    for (const Curve& curve : run.curves) html += curve_html(curve);
    html += "</div>\n";
  }
  if (html.empty()) return "";
  return "<section>\n<h2 id=\"learning\">Learning curves</h2>\n" + html + "</section>\n";
}

}  // namespace llmpatch
