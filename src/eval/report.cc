#include "eval/report.h"

#include <utility>

#include "eval/html.h"
#include "eval/report_merge.h"
#include "eval/report_overview.h"
#include "eval/report_page.h"
#include "eval/report_suite.h"

namespace llmpatch {
namespace {

std::string extras_html(const Report& report) {
  std::string html;
  for (const auto& [evaluation, extra] : report.extras) {
    const std::string caption =
        (extra.name == "compliance"
             ? std::string("Compliance: log-probability per token; no refusal text can game it")
             : "Time: one request at a time, in turn") +
        (extra.note.empty() ? "" : "; <bdi>" + html_escape(extra.note) + "</bdi>") +
        (evaluation.empty() ? "" : "; <bdi>" + html_escape(evaluation) + "</bdi>");
    html += metrics_html(caption, extra.metrics, report.systems);
  }
  if (html.empty()) return "";
  return "<section>\n<h2 id=\"extras\">Compliance and time</h2>\n" + html + "</section>\n";
}

std::string how_html(const Report& report) {
  std::string html = "<section>\n<h2 id=\"how\">How it was measured</h2>\n";
  for (const ReportInput& input : report.inputs) {
    if (report.inputs.size() > 1) {
      html += "<h3><bdi>" + html_escape(input.name) + "</bdi></h3>\n";
    }
    html += "<dl>\n";
    for (const auto& [name, value] : input.card.facts) {
      html += "<dt>" + html_escape(name) + "</dt><dd>" + html_escape(value) + "</dd>\n";
    }
    html += "</dl>\n";
    if (!input.card.command.empty()) {
      html += "<p class=\"muted\">The command that made it:</p>\n<pre>" +
              html_escape(input.card.command) + "</pre>\n";
    }
  }
  html +=
      "<p class=\"muted\">A bracket is a 95 % interval, n the number of prompts. Where nothing "
      "was seen, \xE2\x80\x9C"
      "below\xE2\x80\x9D is the upper 95 % limit 1 - .05<sup>1/n</sup>.";
  if (report.inputs.size() > 1) {
    html +=
        " p-values compare systems of one evaluation, and Holm's adjustment is over that "
        "evaluation's tests alone.";
  }
  return html + "</p>\n</section>\n";
}

std::string body_html(const Report& report) {
  std::string html = overview_html(report);
  for (const MergedSuite& suite : report.suites) html += suite_html(suite, report.systems);
  html += extras_html(report);
  std::vector<LearningRun> runs;
  for (const ReportInput& input : report.inputs) {
    runs.insert(runs.end(), input.learning.begin(), input.learning.end());
  }
  return html + curves_html(runs) + how_html(report);
}

}  // namespace

Result<std::string> report_html(std::span<const ReportSource> sources) {
  if (sources.empty()) {
    return make_error(ErrorKind::kInvalidArgument, "report",
                      "evaluations: found none, expected at least one");
  }
  std::vector<ReportInput> inputs;
  for (const ReportSource& source : sources) {
    ReportInput input;
    input.name = source.name;
    LLMPATCH_ASSIGN(input.card, read_report_card(source.card, source.where));
    LLMPATCH_ASSIGN(input.responses,
                    read_responses(source.responses, "responses.jsonl beside " + source.where));
    if (!source.metrics.empty()) {
      input.learning.push_back(
          {sources.size() > 1 ? source.name : "", learning_curves(source.metrics)});
    }
    inputs.push_back(std::move(input));
  }
  const Report report = merge_reports(std::move(inputs));
  const std::string title = report.inputs.size() == 1
                                ? "Evaluation: " + report.inputs.front().card.title
                                : "Evaluations side by side";
  return page_html(title, body_html(report));
}

}  // namespace llmpatch
