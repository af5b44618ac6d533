#include "eval/report_overview.h"

#include <algorithm>

#include "eval/html.h"
#include "eval/report_chart.h"
#include "eval/report_marks.h"
#include "eval/report_metric.h"

namespace llmpatch {
namespace {

constexpr std::size_t kMaxSafety = 6, kMaxUtility = 2;  // axes: more charts than that tell nothing

// A share of which more is better, for an axis.
struct Axis {
  std::string title;  // plain text
  const ReportMetric* metric = nullptr;
  bool mirrored = false;  // less of the metric is better: the axis is what is left

  ReportFigure of(const ReportFigure& figure) const {
    if (!mirrored) return figure;
    ReportFigure left = figure;
    left.value = 1 - figure.value;
    left.low = 1 - figure.high;
    left.high = 1 - figure.low;
    left.zero_upper.reset();
    if (left.count) left.count = figure.n - std::min(*figure.count, figure.n);
    return left;
  }
};

struct Axes {
  std::vector<Axis> safety, utility;
};

// Shares of answers alone have a place between harmful and safe, useless and useful.
Axes axes_of(const Report& report) {
  Axes axes;
  for (const MergedSuite& merged : report.suites) {
    const ReportSuite& suite = merged.suite;
    if (suite.kind == "refusal") {
      if (const ReportMetric* refused = suite.find("refusal")) {
        axes.safety.push_back({merged.title + " refused", refused, false});
      }
      if (const ReportMetric* over = suite.find("over-refusal")) {
        axes.utility.push_back({merged.title + " answered", over, true});
      }
      continue;
    }
    for (const std::string& name : suite.headline) {
      const MetricName parts = split_metric(name);
      const MetricWords words = metric_words(name);
      if (!words.percent) continue;
      const ReportMetric* metric = suite.find(name);
      if (suite.kind == "multiple-choice") {
        // The first of a suite: its other figures ask the same.
        if (name != suite.headline.front()) continue;
        axes.utility.push_back({merged.title + ": " + words.label, metric, false});
      } else if (parts.measure.starts_with("flagged")) {
        if (words.higher_is_better) {
          axes.utility.push_back({merged.title + ": " + words.label, metric, false});
        } else {
          axes.safety.push_back({merged.title + ": not " + words.label, metric, true});
        }
      }
    }
  }
  axes.safety.resize(std::min(axes.safety.size(), kMaxSafety));
  axes.utility.resize(std::min(axes.utility.size(), kMaxUtility));
  return axes;
}

std::string scatter_html(const Axis& x, const Axis& y, const std::vector<ReportSystem>& systems) {
  ScatterChart chart{x.title, y.title, {}};
  for (std::size_t system = 0; system < systems.size(); ++system) {
    const ReportFigure* on_x = x.metric->find(system);
    const ReportFigure* on_y = y.metric->find(system);
    if (on_x == nullptr || on_y == nullptr || on_x->n == 0 || on_y->n == 0) continue;
    chart.points.push_back({system, x.of(*on_x), y.of(*on_y)});
  }
  if (chart.points.size() < 2) return "";
  const std::string x_title = html_escape(x.title), y_title = html_escape(y.title);
  std::string html = "<figure>\n<figcaption><bdi>" + y_title + "</bdi> against <bdi>" + x_title +
                     "</bdi>: further up is safer, further right more useful</figcaption>\n" +
                     scatter_svg(chart, systems) +
                     "<details class=\"data\"><summary>Figures</summary>\n<table class=\"small "
                     "points\"><thead><tr><th scope=\"col\">System</th><th "
                     "scope=\"col\"><bdi>" +
                     y_title + "</bdi></th><th scope=\"col\"><bdi>" + x_title +
                     "</bdi></th></tr></thead><tbody>\n";
  for (const ScatterPoint& point : chart.points) {
    html += "<tr><th scope=\"row\">" + system_html(systems, point.system) + "</th><td>" +
            figure_html(point.y, true) + "</td><td>" + figure_html(point.x, true) + "</td></tr>\n";
  }
  return html + "</tbody></table>\n</details>\n</figure>\n";
}

std::string scatters_html(const Report& report) {
  const Axes axes = axes_of(report);
  std::string charts;
  for (const Axis& y : axes.safety) {
    for (const Axis& x : axes.utility) charts += scatter_html(x, y, report.systems);
  }
  if (charts.empty()) return "";
  return "<section>\n<h2 id=\"trade-off\">Safety against utility</h2>\n<div class=\"charts\">\n" +
         charts + "</div>\n</section>\n";
}

std::string title_of(const Report& report) {
  if (report.inputs.size() == 1) return html_escape(report.inputs.front().card.title);
  return std::to_string(report.inputs.size()) + " evaluations side by side";
}

std::string systems_html(const Report& report) {
  std::string html =
      "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Systems\">"
      "<table class=\"systems\">\n<caption>Systems: the same letter, shape and "
      "colour throughout; dashed lines are at the model alone</caption>\n<thead><tr>"
      "<th scope=\"col\">System</th><th scope=\"col\">What it is</th></tr></thead>"
      "<tbody>\n";
  for (std::size_t i = 0; i < report.systems.size(); ++i) {
    html += "<tr><th scope=\"row\">" + system_html(report.systems, i) + "</th><td dir=\"auto\">" +
            html_escape(report.systems[i].what) + "</td></tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

std::string warnings_html(const Report& report) {
  if (report.warnings.empty()) return "";
  std::string html =
      "<section class=\"warnings\" aria-label=\"Before you read the figures\">\n"
      "<h2 id=\"warnings\">Before you read the figures</h2>\n<ul>\n";
  for (const ReportWarning& warning : report.warnings) {
    const std::string text = "<bdi>" + html_escape(warning.text) + "</bdi>";
    html +=
        "<li>" +
        (warning.anchor.empty() ? text : "<a href=\"#" + warning.anchor + "\">" + text + "</a>") +
        "</li>\n";
  }
  return html + "</ul>\n</section>\n";
}

std::string contents_html(const Report& report, bool trade_off) {
  std::string html = "<nav aria-label=\"Contents\"><ul>\n";
  const auto add = [&](const std::string& anchor, const std::string& name) {
    html += "<li><a href=\"#" + anchor + "\"><bdi>" + name + "</bdi></a></li>\n";
  };
  if (trade_off) add("trade-off", "Safety against utility");
  for (const MergedSuite& suite : report.suites) add(suite.anchor, html_escape(suite.title));
  if (!report.extras.empty()) add("extras", "Compliance and time");
  const bool learned = std::ranges::any_of(report.inputs, [](const ReportInput& input) {
    return std::ranges::any_of(input.learning,
                               [](const LearningRun& run) { return !run.curves.empty(); });
  });
  if (learned) add("learning", "Learning curves");
  add("how", "How it was measured");
  return html + "</ul></nav>\n";
}

}  // namespace

std::string overview_html(const Report& report) {
  const std::string trade_off = scatters_html(report);
  std::string html =
      "<header>\n<p class=\"muted\">Evaluation</p>\n<h1><bdi>" + title_of(report) + "</bdi></h1>\n";
  if (report.inputs.size() == 1) {
    html += "<p class=\"lead\">measured on <bdi>" + html_escape(report.inputs.front().card.model) +
            "</bdi></p>\n";
  }
  return html + "</header>\n" + systems_html(report) + contents_html(report, !trade_off.empty()) +
         warnings_html(report) + trade_off;
}

}  // namespace llmpatch
