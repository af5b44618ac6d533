#include "eval/report_chart.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "eval/html.h"
#include "eval/report_marks.h"

namespace llmpatch {
namespace {

struct Box {
  double left, top, right, bottom;

  double x(double share) const { return left + (right - left) * share; }
  double y(double share) const { return bottom - (bottom - top) * share; }
};

std::string attribute(const char* name, double value) {
  return std::string(" ") + name + "=\"" + svg_number(value) + "\"";
}

std::string line(double x1, double y1, double x2, double y2, const std::string& classes) {
  return "<line class=\"" + classes + "\"" + attribute("x1", x1) + attribute("y1", y1) +
         attribute("x2", x2) + attribute("y2", y2) + "/>";
}

std::string text(double x, double y, const std::string& classes, const std::string& said) {
  return "<text class=\"" + classes + "\"" + attribute("x", x) + attribute("y", y) + ">" +
         html_escape(said) + "</text>";
}

std::string mark(double x, double y, std::string_view path) {
  return "<path class=\"mark\" transform=\"translate(" + svg_number(x) + " " + svg_number(y) +
         ")\" d=\"" + std::string(path) + "\"/>";
}

std::string y_axis(const Box& box, const Scale1d& scale, bool percent) {
  std::string svg;
  for (const double tick : scale.ticks) {
    const double y = box.y(scale.at(tick));
    svg += line(box.left, y, box.right, y, "tick") +
           text(box.left - 5, y + 4, "end", tick_text(scale, tick, percent));
  }
  return svg;
}

std::string opening(int height, const std::string& said) {
  return "<svg class=\"chart\" viewBox=\"0 0 360 " + std::to_string(height) +
         "\" role=\"img\" aria-label=\"" + html_escape(said) + "\">";
}

// Finds a free place for a letter near each mark.
class LetterPlaces {
 public:
  LetterPlaces(const Box& box, std::vector<std::pair<double, double>> marks)
      : box_(box), taken_(std::move(marks)) {}

  std::pair<double, double> place(double x, double y) {
    constexpr std::array<std::pair<double, double>, 8> kAround{
        {{10, -10}, {-10, -10}, {10, 12}, {-10, 12}, {16, 0}, {-16, 0}, {0, -15}, {0, 16}}};
    std::pair<double, double> best{x + kAround[0].first, y + kAround[0].second};
    double furthest = -1;
    for (int ring = 1; ring <= 2; ++ring) {
      for (const auto& [dx, dy] : kAround) {
        const std::pair<double, double> at{x + ring * dx, y + ring * dy};
        if (at.first < box_.left + 5 || at.first > box_.right + 6 || at.second < box_.top - 4 ||
            at.second > box_.bottom - 4) {
          continue;
        }
        double nearest = HUGE_VAL;
        for (const auto& other : taken_) {
          nearest = std::min(nearest, std::hypot(at.first - other.first, at.second - other.second));
        }
        if (nearest >= 10) {
          taken_.push_back(at);
          return at;
        }
        if (nearest > furthest) furthest = nearest, best = at;
      }
    }
    taken_.push_back(best);
    return best;
  }

 private:
  Box box_;
  std::vector<std::pair<double, double>> taken_;
};

}  // namespace

std::string scatter_svg(const ScatterChart& chart, const std::vector<ReportSystem>& systems) {
  if (chart.points.empty()) return "";
  constexpr Box kBox{46, 22, 348, 214};
  std::vector<double> xs, ys;
  for (const ScatterPoint& point : chart.points) {
    xs.insert(xs.end(), {point.x.low, point.x.high});
    ys.insert(ys.end(), {point.y.low, point.y.high});
  }
  const Scale1d x_scale = scale_around(xs, 0, 1), y_scale = scale_around(ys, 0, 1);
  std::string svg = opening(
      260, chart.y_title + " against " + chart.x_title + "; the table beside it has the figures");
  svg += y_axis(kBox, y_scale, true);
  for (const double tick : x_scale.ticks) {
    const double x = kBox.x(x_scale.at(tick));
    svg += line(x, kBox.top, x, kBox.bottom, "tick") +
           text(x, kBox.bottom + 16, "middle", tick_text(x_scale, tick, true));
  }
  svg += text(kBox.right, 250, "end title", "more useful, % \xE2\x86\x92");
  svg += text(4, 12, "start title", "\xE2\x86\x91 safer, %");
  std::vector<std::pair<double, double>> marks;
  for (const ScatterPoint& point : chart.points) {
    const double x = kBox.x(x_scale.at(point.x.value)), y = kBox.y(y_scale.at(point.y.value));
    marks.emplace_back(x, y);
    if (point.system < systems.size() && systems[point.system].base) {
      svg += line(x, kBox.top, x, kBox.bottom, "base c0") +
             line(kBox.left, y, kBox.right, y, "base c0");
    }
  }
  for (std::size_t i = 0; i < chart.points.size(); ++i) {
    const ScatterPoint& point = chart.points[i];
    const auto [x, y] = marks[i];
    svg +=
        "<g class=\"" + colour_class(systems, point.system) + "\">" +
        line(kBox.x(x_scale.at(point.x.low)), y, kBox.x(x_scale.at(point.x.high)), y, "whisker") +
        line(x, kBox.y(y_scale.at(point.y.low)), x, kBox.y(y_scale.at(point.y.high)), "whisker") +
        mark(x, y, shape_path(systems, point.system)) + "</g>";
  }
  LetterPlaces places(kBox, marks);
  for (std::size_t i = 0; i < chart.points.size(); ++i) {
    const auto [x, y] = places.place(marks[i].first, marks[i].second);
    svg += text(x, y + 4, "middle letter " + colour_class(systems, chart.points[i].system),
                system_letter(chart.points[i].system));
  }
  return svg + "</svg>\n";
}

namespace {

// Which steps get a label: so many that they do not run into each other.
std::size_t label_stride(const std::vector<std::string>& labels, double width) {
  std::size_t longest = 1;
  for (const std::string& label : labels) longest = std::max(longest, label.size());
  const double room = std::max(1.0, width / (7.0 * static_cast<double>(longest) + 8));
  return static_cast<std::size_t>(std::ceil(static_cast<double>(labels.size()) / room));
}

std::string series_svg(const LineSeries& series, const Box& box, const Scale1d& scale,
                       std::size_t steps) {
  const auto x_of = [&](std::size_t step) {
    return box.x(steps < 2 ? .5 : static_cast<double>(step) / static_cast<double>(steps - 1));
  };
  std::string svg = "<g class=\"" + series.colour + "\">", points, marks, lone;
  std::size_t count = 0;
  for (std::size_t i = 0; i < series.values.size(); ++i) {
    if (!series.values[i]) continue;
    const double x = x_of(i), y = box.y(scale.at(*series.values[i]));
    points += svg_number(x) + "," + svg_number(y) + " ";
    if (i < series.intervals.size() && series.intervals[i]) {
      const auto [low, high] = *series.intervals[i];
      svg += line(x, box.y(scale.at(low)), x, box.y(scale.at(high)), "whisker");
    }
    if (!series.shape.empty()) marks += mark(x, y, series.shape);
    lone = mark(x, y, shape_path({}, kNoSystem));
    ++count;
  }
  if (count == 1 && marks.empty()) marks = lone;
  if (count > 1) {
    svg += "<polyline points=\"" + points + "\"" +
           (series.dashes.empty() ? "" : " stroke-dasharray=\"" + series.dashes + "\"") + "/>";
  }
  return svg + marks + "</g>";
}

}  // namespace

std::string line_svg(const LineChart& chart) {
  constexpr Box kBox{50, 20, 348, 178};
  std::vector<double> values;
  for (const LineSeries& series : chart.series) {
    for (std::size_t i = 0; i < series.values.size(); ++i) {
      if (series.values[i]) values.push_back(*series.values[i]);
      if (i < series.intervals.size() && series.intervals[i]) {
        values.insert(values.end(), {series.intervals[i]->first, series.intervals[i]->second});
      }
    }
  }
  if (values.empty()) return "";
  const Scale1d scale = chart.whole_share ? share_scale()
                        : chart.percent   ? scale_around(values, 0, 1)
                                          : scale_around(values, -HUGE_VAL, HUGE_VAL);
  std::string svg = opening(220, chart.title + "; the table beside it has the figures");
  svg += y_axis(kBox, scale, chart.percent);
  const std::size_t steps = chart.labels.size();
  const auto x_of = [&](double step) {
    return kBox.x(steps < 2 ? .5 : step / static_cast<double>(steps - 1));
  };
  const std::size_t stride = label_stride(chart.labels, kBox.right - kBox.left);
  for (std::size_t i = 0; i < steps; i += stride) {
    svg += text(x_of(static_cast<double>(i)), kBox.bottom + 15, "middle", chart.labels[i]);
  }
  for (const auto& [step, name] : chart.parts) {
    const double x = x_of(static_cast<double>(step) - (step == 0 ? 0 : .5));
    if (step > 0) svg += line(x, kBox.top, x, kBox.bottom, "part");
    svg += text(x + 3, 13, "start small", name);
  }
  svg += text(kBox.right, 213, "end title", chart.x_title + " \xE2\x86\x92");
  for (const LineSeries& series : chart.series) svg += series_svg(series, kBox, scale, steps);
  return svg + "</svg>\n";
}

}  // namespace llmpatch
