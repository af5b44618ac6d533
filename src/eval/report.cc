#include "eval/report.h"

#include <algorithm>

#include "base/sha256.h"
#include "eval/format.h"
#include "eval/html.h"
#include "eval/report_answers.h"
#include "eval/report_assets.h"
#include "eval/report_charts.h"

namespace llmpatch {
namespace {

using Cells = std::vector<std::string>;

// A row of already escaped cells; the first is the row's heading.
std::string row_html(const Cells& cells) {
  std::string html = "<tr><th scope=\"row\">" + cells.front() + "</th>";
  for (std::size_t i = 1; i < cells.size(); ++i) html += "<td>" + cells[i] + "</td>";
  return html + "</tr>\n";
}

std::string table_html(const Cells& head, const std::vector<Cells>& rows) {
  std::string html = "<div class=\"scroll\"><table><thead><tr>";
  for (const auto& cell : head) html += "<th scope=\"col\">" + cell + "</th>";
  html += "</tr></thead><tbody>\n";
  for (const auto& row : rows) html += row_html(row);
  return html + "</tbody></table></div>\n";
}

std::string figure(const std::string& value, const std::string& interval) {
  return value + " <span class=\"interval\">" + interval + "</span>";
}

std::string percent_html(const Proportion& p) {
  if (p.n == 0) return "-";
  const Interval interval = p.interval();
  return figure(fixed(100 * p.value(), 1) + " %",
                std::to_string(p.count) + "/" + std::to_string(p.n) + " [" +
                    fixed(100 * interval.low, 1) + ", " + fixed(100 * interval.high, 1) + "]");
}

std::string estimate_html(const Estimate& estimate, int decimals) {
  if (estimate.n == 0) return "-";
  return figure(fixed(estimate.value, decimals), "[" + fixed(estimate.interval.low, decimals) +
                                                     ", " +
                                                     fixed(estimate.interval.high, decimals) +
                                                     "], n = " + std::to_string(estimate.n));
}

std::string what_html(const EvalResult& result) {
  std::string title;
  for (const auto& patch : result.options.patches) {
    title += (title.empty() ? "" : " + ") + html_escape(patch.name + " " + patch.version);
  }
  if (title.empty()) title = "base model";
  const std::string model =
      html_escape(std::filesystem::path(result.model_path).filename().string());
  return "<h1>Evaluation: " + title + "</h1>\n<p class=\"muted\">on " + model + ", sha256 <code>" +
         html_escape(result.model_sha256) + "</code>; " + html_escape(result.options.tool_version) +
         "; greedy decoding, " + (result.options.engine.exact ? "f32" : "f16") + " KV cache</p>\n";
}

std::string label_cell(const System& system, std::size_t n) {
  return html_escape(system_label(system)) + " <span class=\"interval\">n = " + std::to_string(n) +
         "</span>";
}

std::string suite_html(const SuiteResult& suite) {
  const bool harmful = suite.suite.expect == Expect::kRefuse;
  const std::string refused = harmful ? "refused" : "over-refused";
  Cells head{""}, refusals{refused}, scary{"&nbsp; of the scary-looking"}, degenerate{"degenerate"},
      repetition{"trigram repetition"}, tokens{"answer length, tokens"};
  bool any_scary = false;
  for (const auto& system : suite.systems) {
    head.push_back(label_cell(system.system, system.refused.n));
    refusals.push_back(percent_html(system.refused));
    scary.push_back(percent_html(system.refused_scary.value_or(Proportion{})));
    any_scary = any_scary || system.refused_scary.has_value();
    degenerate.push_back(percent_html(system.degenerate));
    repetition.push_back(estimate_html(system.repetition, 3));
    tokens.push_back(estimate_html(system.tokens, 1));
  }
  std::vector<Cells> rows{refusals};
  if (any_scary) rows.push_back(scary);
  rows.insert(rows.end(), {degenerate, repetition, tokens});
  std::string html = "<h3>" + html_escape(suite.suite.name) + ": " +
                     std::to_string(suite.prompts.size()) + " prompts to " +
                     std::string(expect_name(suite.suite.expect)) + "</h3>\n" +
                     table_html(head, rows);
  for (const auto& pair : suite.comparisons) {
    html += "<p class=\"muted\">" + html_escape(system_label(pair.a)) + " against " +
            html_escape(system_label(pair.b)) + ", " + std::to_string(pair.n) +
            " prompts: only the first refused " + std::to_string(pair.only_a) +
            ", only the second " + std::to_string(pair.only_b) +
            "; McNemar, exact: p = " + html_escape(p_text(pair.p)) + "</p>\n";
  }
  return html;
}

std::string categories_html(const SuiteResult& suite) {
  const SystemResult* base = suite.find(System::kBase);
  if (base == nullptr || base->refused_by_category.empty()) return "";
  Cells head{"category"};
  for (const auto& system : suite.systems)
    head.emplace_back(html_escape(system_label(system.system)));
  std::vector<Cells> rows;
  for (const auto& [category, unused] : base->refused_by_category) {
    Cells row{html_escape(category)};
    for (const auto& system : suite.systems) {
      const auto found = system.refused_by_category.find(category);
      row.push_back(found == system.refused_by_category.end() ? "-" : percent_html(found->second));
    }
    rows.push_back(std::move(row));
  }
  return "<details><summary>Refusals by category: " + html_escape(suite.suite.name) +
         "</summary>\n" + table_html(head, rows) + "</details>\n";
}

std::string side_effects_html(const SuiteResult& suite) {
  if (!suite.side_effects) return "";
  const SideEffects& effects = *suite.side_effects;
  return "<h3>What else changes: " + html_escape(suite.suite.name) + "</h3>\n" +
         table_html({"", "base model", "patch"},
                    {{"KL(base || patch) per token, nats", "0", estimate_html(effects.kl, 4)},
                     {"&nbsp; over the first 8 tokens", "0", estimate_html(effects.kl_first, 4)},
                     {"perplexity of the answers under the base model",
                      estimate_html(effects.perplexity_base, 2),
                      estimate_html(effects.perplexity_patched, 2)}});
}

std::string compliance_html(const Compliance& compliance) {
  return "<h3>Compliance</h3>\n<p class=\"muted\">Log-probability per token, teacher forced, on " +
         std::to_string(compliance.prompts) + " prompts of " + html_escape(compliance.suite) +
         ": lower is safer, and no refusal text can game it.</p>\n" +
         table_html({"", "base model", "patch"},
                    {{"affirmative openings", estimate_html(compliance.openings_base, 2),
                      estimate_html(compliance.openings_patched, 2)},
                     {"the base model's answer from its 16th token on",
                      estimate_html(compliance.answer_base, 2),
                      estimate_html(compliance.answer_patched, 2)}});
}

std::string timing_html(const Timing& timing) {
  const auto milliseconds = [](Estimate e) {
    e.value *= 1000;
    e.interval = {1000 * e.interval.low, 1000 * e.interval.high};
    return estimate_html(e, 1);
  };
  return "<h3>Time</h3>\n<p class=\"muted\">One request at a time, base model and patch in turn, " +
         std::to_string(timing.prompts) + " prompts, " + std::to_string(timing.rounds) +
         " rounds.</p>\n" +
         table_html({"", "base model", "patch", "ratio"},
                    {{"first token, ms", milliseconds(timing.first_token_base),
                      milliseconds(timing.first_token_patched),
                      estimate_html(timing.first_token_ratio, 3)},
                     {"tokens per second", estimate_html(timing.tokens_per_second_base, 1),
                      estimate_html(timing.tokens_per_second_patched, 1),
                      estimate_html(timing.tokens_per_second_ratio, 3)}});
}

std::string figure_html(const Figure& shown) {
  if (shown.estimate.n == 0) return "-";
  if (!shown.is_share()) return estimate_html(shown.estimate, 3);
  const Interval interval = shown.estimate.interval;
  return figure(fixed(100 * shown.estimate.value, 1) + " %",
                "[" + fixed(100 * interval.low, 1) + ", " + fixed(100 * interval.high, 1) +
                    "], n = " + std::to_string(shown.estimate.n));
}

std::string measured_html(const MeasuredSuite& suite) {
  Cells head{""};
  std::vector<Cells> rows;
  for (std::size_t s = 0; s < suite.systems.size(); ++s) {
    const SystemMetrics& system = suite.systems[s];
    head.emplace_back(html_escape(system_label(system.system)));
    for (const auto& shown : system.figures) {
      const std::string name = html_escape(shown.name);
      auto row = std::ranges::find_if(rows, [&](const Cells& r) { return r.front() == name; });
      if (row == rows.end()) row = rows.insert(rows.end(), Cells{name});
      row->resize(s + 1, "-");
      row->push_back(figure_html(shown));
    }
  }
  for (Cells& row : rows) row.resize(head.size(), "-");
  std::string html = "<h3>" + html_escape(suite.suite.name) + ": " + std::to_string(suite.n) +
                     " prompts</h3>\n" + table_html(head, rows);
  for (const auto& system : suite.systems) {
    for (const auto& note : system.notes) {
      html += "<p class=\"muted\">" + html_escape(system_label(system.system)) + ": " +
              html_escape(note) + "</p>\n";
    }
  }
  return html;
}

std::string curves_html(const std::vector<Curve>& curves) {
  if (curves.empty()) return "";
  std::string html = "<h2>Learning curves</h2>\n<div class=\"charts\">\n";
  for (std::size_t i = 0; i < curves.size(); ++i) {
    html += "<figure><figcaption>" + html_escape(curves[i].title) +
            "</figcaption><div class=\"chart\"><canvas id=\"curve-" + std::to_string(i) +
            "\"></canvas></div></figure>\n";
  }
  return html + "</div>\n";
}

std::string body_html(const EvalResult& result, const std::vector<Curve>& curves) {
  std::string html = what_html(result);
  if (!result.suites.empty()) {
    html +=
        "<figure><figcaption>Refusals by suite, with 95 % intervals</figcaption><div "
        "class=\"chart\"><canvas id=\"refusals\"></canvas></div></figure>\n<h2>Refusals</h2>\n";
  }
  for (const auto& suite : result.suites) html += suite_html(suite) + categories_html(suite);
  if (!result.measured.empty()) html += "<h2>Judged answers and other measures</h2>\n";
  for (const auto& suite : result.measured) html += measured_html(suite);
  html += "<h2>Side effects</h2>\n";
  for (const auto& suite : result.suites) html += side_effects_html(suite);
  if (result.compliance) html += compliance_html(*result.compliance);
  if (result.timing) html += timing_html(*result.timing);
  html += curves_html(curves);
  for (const auto& suite : result.suites) html += answers_html(suite);
  html += "<h2>Reproduce</h2>\n<pre>" + html_escape(result.options.command) +
          "</pre>\n<p class=\"muted\">Refusals: XSTest's openings within the first 32 tokens. "
          "Intervals: 95 %, Wilson for shares, bootstrap over prompts for means. Charts: Chart.js "
          "(MIT).</p>\n";
  return html;
}

}  // namespace

std::string report_html(const EvalResult& result, const std::vector<JsonLine>& metrics) {
  const std::vector<Curve> curves = learning_curves(metrics);
  const std::string data = script_json(chart_data(result, curves));
  const std::string body = body_html(result, curves);
  // Only scripts and styles that carry this value run: were anything left unescaped, it could not
  // know the digest of the page it is part of.
  const std::string nonce = sha256_hex(data + body);
  const std::string tag = " nonce=\"" + nonce + "\">";
  std::string html = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
  html +=
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'nonce-" +
      nonce + "'; script-src 'nonce-" + nonce + "'\">\n";
  html += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
  html += "<title>llmpatch evaluation</title>\n<style" + tag;
  html += report_style();
  html += "</style>\n</head>\n<body>\n" + body;
  html += "<script type=\"application/json\" id=\"data\">" + data + "</script>\n<script" + tag;
  html += chart_js();
  html += "</script>\n<script" + tag;
  html += report_script();
  html += "</script>\n</body>\n</html>\n";
  return html;
}

}  // namespace llmpatch
