#include "eval/report_suite.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>
#include <tuple>

#include "eval/format.h"
#include "eval/html.h"
#include "eval/report_chart.h"
#include "eval/report_forest.h"
#include "eval/report_marks.h"
#include "eval/report_metric.h"

namespace llmpatch {
namespace {

std::string fold(const std::string& summary_html, const std::string& body, bool open = false) {
  if (body.empty()) return "";
  return std::string("<details class=\"data\"") + (open ? " open" : "") + "><summary>" +
         summary_html + "</summary>\n" + body + "</details>\n";
}

std::string limit_html(const std::string& text) {
  return "<span class=\"limit\">" + html_escape(text) + "</span>";
}

class SuiteWriter {
 public:
  SuiteWriter(const MergedSuite& merged, const std::vector<ReportSystem>& systems)
      : merged_(merged),
        suite_(merged.suite),
        systems_(systems),
        title_(html_escape(merged.title)) {}

  std::string write() const {
    std::string html = "<section id=\"" + merged_.anchor + "\">\n<h2><bdi>" + title_ +
                       "</bdi></h2>\n<p class=\"muted\">" + about() + "</p>\n" + notes_html();
    html += headline_html() + parts_html();
    html += fold("All other figures", others_html());
    html += categories_html();
    html += metrics_html("What else changes on these prompts: <bdi>" + title_ + "</bdi>",
                         suite_.side_effects, systems_);
    html += recovered_html() + bias_html() + comparisons_html();
    html += answers_html(title_, suite_, merged_.prompts, systems_);
    return html + "</section>\n";
  }

 private:
  std::string about() const {
    std::string text = std::to_string(suite_.n) + " prompts";
    if (suite_.expect == "refuse") text += ", all harmful: refusing is right";
    if (suite_.expect == "answer") text += ", all harmless: refusing is wrong";
    return text + "; kind " + html_escape(suite_.kind);
  }

  std::string notes_html() const {
    std::string html;
    for (const ReportNote& note : suite_.notes) {
      html += "<p class=\"warning\">" + system_html(systems_, note.system) + ": " +
              html_escape(note.text) + "</p>\n";
    }
    return html;
  }

  // What belongs beside the figures of a metric: notes about it, and tests against a model alone.
  std::vector<std::pair<std::size_t, std::string>> remarks_of(const std::string& metric) const {
    std::vector<std::pair<std::size_t, std::string>> remarks;
    for (const ReportNote& note : suite_.notes) {
      if (!note.text.starts_with(metric + " ")) continue;
      const std::string rest = note.text.substr(metric.size() + 1);
      remarks.emplace_back(note.system, limit_html(rest.substr(0, rest.find(':'))));
    }
    for (const ReportComparison& pair : suite_.comparisons) {
      if (pair.metric != metric || !pair.p_holm || pair.a >= systems_.size() ||
          !systems_[pair.a].base) {
        continue;
      }
      remarks.emplace_back(pair.b, "<span class=\"p\">p " + html_escape(p_text(*pair.p_holm)) +
                                       " against " + system_letter(pair.a) + "</span>");
    }
    return remarks;
  }

  ForestGroup group_of(const ReportMetric& metric) const {
    const MetricWords words = metric_words(metric.name);
    ForestGroup group;
    group.title_html = "<bdi>" + html_escape(words.label) + "</bdi>";
    group.hint = words.good;
    group.metric = &metric;
    group.percent = words.percent || is_share(metric);
    group.prompts = suite_.n;
    group.remarks = remarks_of(metric.name);
    return group;
  }

  static bool is_share(const ReportMetric& metric) {
    return std::ranges::any_of(metric.rows,
                               [](const ReportRow& row) { return row.figure.count.has_value(); });
  }

  std::string headline_html() const {
    std::vector<ForestGroup> groups;
    for (const std::string& name : suite_.headline) {
      if (const ReportMetric* metric = suite_.find(name)) groups.push_back(group_of(*metric));
    }
    return forest_html("<bdi>" + title_ + "</bdi>: the figures that stand for it", groups,
                       systems_);
  }

  bool shown_elsewhere(const ReportMetric& metric) const {
    const MetricName name = split_metric(metric.name);
    return std::ranges::find(suite_.headline, metric.name) != suite_.headline.end() ||
           (!name.variant.empty() && name.measure.starts_with("flagged"));
  }

  std::string others_html() const {
    std::vector<ForestGroup> groups;
    for (const ReportMetric& metric : suite_.metrics) {
      if (!shown_elsewhere(metric)) groups.push_back(group_of(metric));
    }
    return forest_html("<bdi>" + title_ + "</bdi>: all other figures", groups, systems_);
  }

  // Templates and lengths: what is flagged of each, judge by judge.
  std::string parts_html() const {
    using Key = std::tuple<std::string, std::string, std::string>;  // judge, measure, tag
    std::map<Key, std::vector<std::pair<std::string, const ReportMetric*>>> parts;
    for (const ReportMetric& metric : suite_.metrics) {
      const MetricName name = split_metric(metric.name);
      if (name.variant.empty() || !name.measure.starts_with("flagged")) continue;
      parts[{name.judge, name.measure, name.tag}].emplace_back(name.variant, &metric);
    }
    std::string html;
    for (auto& [key, variants] : parts) {
      const auto& [judge, measure, tag] = key;
      std::string whole = judge;
      whole += "." + measure + "@" + tag;
      const std::string what = html_escape(metric_words(whole).label);
      if (suite_.kind == "long-prompt") {
        std::ranges::stable_sort(variants, {}, [](const auto& variant) {
          return std::strtoull(variant.first.c_str(), nullptr, 10);
        });
        html += lengths_html(what, variants);
      }
      std::vector<ForestGroup> groups;
      for (const auto& [variant, metric] : variants) {
        ForestGroup group = group_of(*metric);
        group.title_html = "<bdi>" + html_escape(variant) + "</bdi>";
        group.hint.clear();
        group.bars = true;
        groups.push_back(std::move(group));
      }
      const char* by = suite_.kind == "jailbreak"     ? "By template: "
                       : suite_.kind == "long-prompt" ? "By length: "
                                                      : "By variant: ";
      html += fold(by + what, forest_html("<bdi>" + title_ + "</bdi>: " + what + "; lower is safer",
                                          groups, systems_));
    }
    return html;
  }

  std::string lengths_html(
      const std::string& what_html,
      const std::vector<std::pair<std::string, const ReportMetric*>>& variants) const {
    LineChart chart;
    chart.title = merged_.title + " by length";
    chart.x_title = "tokens of text before the request";
    chart.percent = true;
    chart.whole_share = true;
    std::set<std::size_t> measured;
    for (const auto& [variant, metric] : variants) {
      chart.labels.push_back(variant.substr(0, variant.find(' ')));
      for (const ReportRow& row : metric->rows) measured.insert(row.system);
    }
    std::string legend;
    for (const std::size_t system : measured) {
      LineSeries series{colour_class(systems_, system),
                        std::string(dashes(system)),
                        std::string(shape_path(systems_, system)),
                        {},
                        {}};
      for (const auto& [variant, metric] : variants) {
        const ReportFigure* figure = metric->find(system);
        const bool there = figure != nullptr && figure->n > 0;
        series.values.push_back(there ? std::optional(figure->value) : std::nullopt);
        series.intervals.push_back(there ? std::optional(std::pair(figure->low, figure->high))
                                         : std::nullopt);
      }
      chart.series.push_back(std::move(series));
      legend += "<li>" + system_html(systems_, system) + "</li>";
    }
    const std::string drawn = line_svg(chart);
    if (drawn.empty()) return "";
    return "<figure class=\"narrow\">\n<figcaption>" + what_html +
           ", %, by the length of the text before the request</figcaption>\n" + drawn +
           "<ul class=\"legend\">" + legend + "</ul>\n</figure>\n";
  }

  std::string categories_html() const {
    std::vector<ForestGroup> groups;
    for (const ReportMetric& category : suite_.categories) {
      ForestGroup group;
      group.title_html = "<bdi>" + html_escape(category.name) + "</bdi>";
      group.metric = &category;
      group.percent = group.bars = true;
      groups.push_back(std::move(group));
    }
    const std::string what = html_escape(metric_words(suite_.category_metric).label);
    return fold(
        "By category: " + what + " (" + std::to_string(groups.size()) + ")",
        forest_html("<bdi>" + title_ + "</bdi>: " + what + ", by category", groups, systems_));
  }

  std::string recovered_html() const {
    std::vector<ForestGroup> groups;
    for (const ReportMetric& metric : suite_.recovered) {
      ForestGroup group;
      group.title_html = "<bdi>" + html_escape(metric_words(metric.name).label) + "</bdi>";
      group.metric = &metric;
      groups.push_back(std::move(group));
    }
    return fold("Share of the reference's improvement that is recovered",
                forest_html("(base - system) / (base - reference): 1 is all of the reference's "
                            "improvement, 0 is none",
                            groups, systems_));
  }

  // Few prompts each, so there are no intervals; n stands beside every one.
  std::string bias_html() const {
    if (suite_.bias.empty()) return "";
    std::set<std::size_t> measured;
    for (const ReportMetric& category : suite_.bias) {
      for (const ReportRow& row : category.rows) measured.insert(row.system);
    }
    std::string html =
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Signed "
        "bias by category\"><table class=\"small\"><caption>Mean signed bias "
        "(female above 0) and its prompts; too few for intervals</caption>"
        "<thead><tr><th scope=\"col\">Category</th>";
    for (const std::size_t system : measured) {
      html += "<th scope=\"col\">" + system_html(systems_, system) + "</th>";
    }
    html += "</tr></thead><tbody>\n";
    for (const ReportMetric& category : suite_.bias) {
      html += "<tr><th scope=\"row\"><bdi>" + html_escape(category.name) + "</bdi></th>";
      for (const std::size_t system : measured) {
        const ReportFigure* figure = category.find(system);
        html += figure == nullptr || figure->n == 0
                    ? "<td>-</td>"
                    : "<td>" + number_text(figure->value, false) + " <span class=\"n\">n " +
                          std::to_string(figure->n) + "</span></td>";
      }
      html += "</tr>\n";
    }
    return fold("Signed bias by category (" + std::to_string(suite_.bias.size()) + ")",
                html + "</tbody></table></div>\n");
  }

  std::string comparison_html(const ReportComparison& pair) const {
    const MetricWords words = metric_words(pair.metric);
    const auto cell = [&](const std::optional<ReportFigure>& figure, bool percent) {
      return "<td>" + (figure ? figure_html(*figure, percent) : std::string("-")) + "</td>";
    };
    const auto p = [](const std::optional<double>& value) {
      return "<td>" + (value ? html_escape(p_text(*value)) : std::string("-")) + "</td>";
    };
    return "<tr><th scope=\"row\">" + system_html(systems_, pair.a) + "<br>" +
           system_html(systems_, pair.b) + "</th><td><bdi>" + html_escape(words.label) +
           "</bdi></td><td>" + std::to_string(pair.n) + "</td>" +
           cell(pair.difference, words.percent) + cell(pair.ratio, false) + "<td>" +
           (pair.only_a ? std::to_string(*pair.only_a) + " / " + std::to_string(*pair.only_b)
                        : "-") +
           "</td>" + p(pair.p) + p(pair.p_holm) + "</tr>\n";
  }

  std::string comparisons_html() const {
    if (suite_.comparisons.empty()) return "";
    std::string html =
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Comparisons: " + title_ +
        "\"><table class=\"small\"><caption>Pairs of systems on the prompts that both answered. p: "
        "McNemar, exact; the last column is Holm's adjustment over all tests of the evaluation"
        "</caption><thead><tr><th scope=\"col\">First, second</th><th scope=\"col\">Metric</th><th "
        "scope=\"col\">n</th><th scope=\"col\">Second - first</th><th scope=\"col\">Second / "
        "first</th><th scope=\"col\">Only first / second</th><th scope=\"col\">p</th><th "
        "scope=\"col\">p, Holm</th></tr></thead><tbody>\n";
    for (const ReportComparison& pair : suite_.comparisons) html += comparison_html(pair);
    return fold("Comparisons, pair by pair (" + std::to_string(suite_.comparisons.size()) + ")",
                html + "</tbody></table></div>\n");
  }

  const MergedSuite& merged_;
  const ReportSuite& suite_;
  const std::vector<ReportSystem>& systems_;
  std::string title_;
};

}  // namespace

std::string suite_html(const MergedSuite& suite, const std::vector<ReportSystem>& systems) {
  return SuiteWriter(suite, systems).write();
}

std::string metrics_html(const std::string& caption_html, const std::vector<ReportMetric>& metrics,
                         const std::vector<ReportSystem>& systems) {
  std::vector<ForestGroup> groups;
  for (const ReportMetric& metric : metrics) {
    const MetricWords words = metric_words(metric.name);
    ForestGroup group;
    group.title_html = "<bdi>" + html_escape(words.label) + "</bdi>";
    group.hint = words.good;
    group.metric = &metric;
    group.percent = words.percent;
    groups.push_back(std::move(group));
  }
  return forest_html(caption_html, groups, systems);
}

}  // namespace llmpatch
