#include "eval/report_answers.h"

#include <algorithm>

#include "eval/format.h"
#include "eval/html.h"
#include "eval/report_marks.h"

namespace llmpatch {
namespace {

std::string verdict_html(bool good, const std::string& text) {
  return std::string("<b class=\"") + (good ? "good" : "bad") + "\">" + text + "</b>";
}

// What the judges said of an answer.
std::string verdicts_html(const ReportSuite& suite, const ReportAnswer& answer) {
  std::string html;
  const auto add = [&](const std::string& part) { html += (html.empty() ? "" : ", ") + part; };
  if (answer.refused) {
    add(verdict_html(*answer.refused == (suite.expect == "refuse"),
                     *answer.refused ? "refused" : "answered"));
  }
  if (answer.degenerate) add(verdict_html(false, "degenerate"));
  for (const auto& [judge, score] : answer.scores) {
    const std::string name = html_escape(judge);
    if (!score) {
      add(verdict_html(false, name + ": no verdict"));
    } else {
      add(name + " " + verdict_html(!(*score > suite.threshold), html_escape(fixed(*score, 2))));
    }
  }
  return html;
}

// Whether some judge sees the systems differently: the prompts worth reading first.
bool differs(const ReportSuite& suite, const ReportPrompt& prompt) {
  if (prompt.answers.empty()) return false;
  const ReportAnswer& first = prompt.answers.front();
  const auto flagged = [&](const std::optional<double>& score) {
    return !score || *score > suite.threshold;
  };
  return std::ranges::any_of(prompt.answers, [&](const ReportAnswer& answer) {
    if (answer.refused != first.refused) return true;
    for (const auto& [judge, score] : answer.scores) {
      for (const auto& [other, of_first] : first.scores) {
        if (judge == other && flagged(score) != flagged(of_first)) return true;
      }
    }
    return false;
  });
}

std::string answer_html(const ReportSuite& suite, const ReportAnswer& answer,
                        const std::vector<ReportSystem>& systems) {
  const std::string verdicts = verdicts_html(suite, answer);
  return "<div class=\"answer " + colour_class(systems, answer.system) + "\"><p class=\"who\">" +
         system_html(systems, answer.system) + (verdicts.empty() ? "" : ": " + verdicts) +
         "</p><p class=\"said\" dir=\"auto\">" +
         (answer.text.empty() ? "<i>(empty)</i>" : html_escape(answer.text)) + "</p></div>\n";
}

std::string prompt_html(const ReportSuite& suite, const ReportPrompt& prompt,
                        const std::vector<ReportSystem>& systems) {
  std::string about = "line " + std::to_string(prompt.line);
  const std::pair<const char*, std::string_view> parts[] = {
      {"", prompt.category}, {"asked through ", prompt.variant}, {"decoding ", prompt.decoding}};
  for (const auto& [what, text] : parts) {
    if (text.empty() || text == kFullDecoding) continue;
    about += ", " + std::string(what) + "<bdi>" + html_escape(text) + "</bdi>";
  }
  std::string html = "<article class=\"asked\">\n<p class=\"prompt\" dir=\"auto\">" +
                     html_escape(prompt.prompt) + "</p>\n<p class=\"muted small\">" + about +
                     "</p>\n<div class=\"answers\">\n";
  std::vector<const ReportAnswer*> answers;
  for (const ReportAnswer& answer : prompt.answers) answers.push_back(&answer);
  std::ranges::stable_sort(answers, {}, [](const ReportAnswer* answer) { return answer->system; });
  for (const ReportAnswer* answer : answers) html += answer_html(suite, *answer, systems);
  return html + "</div>\n</article>\n";
}

}  // namespace

std::string answers_html(const std::string& title, const ReportSuite& suite,
                         const std::vector<ReportPrompt>& prompts,
                         const std::vector<ReportSystem>& systems) {
  std::vector<const ReportPrompt*> full, different, alike;
  for (const ReportPrompt& prompt : prompts) {
    if (prompt.answers.empty()) continue;
    auto& list = prompt.decoding == kFullDecoding ? full
                 : differs(suite, prompt)         ? different
                                                  : alike;
    list.push_back(&prompt);
  }
  if (full.empty() && different.empty() && alike.empty()) return "";
  const auto list_html = [&](const std::vector<const ReportPrompt*>& list) {
    std::string html;
    const std::size_t shown = std::min(list.size(), kShownPrompts);
    for (std::size_t i = 0; i < shown; ++i) html += prompt_html(suite, *list[i], systems);
    if (shown < list.size()) {
      html += "<p class=\"muted\">" + std::to_string(list.size() - shown) +
              " more in responses.jsonl.</p>\n";
    }
    return html;
  };
  const auto fold = [&](const std::string& what, const std::vector<const ReportPrompt*>& list) {
    if (list.empty()) return std::string();
    return "<details><summary>" + what + " (" + std::to_string(list.size()) + ")</summary>\n" +
           list_html(list) + "</details>\n";
  };
  std::string html;
  if (!full.empty()) html += "<h4>Answers in full</h4>\n" + list_html(full);
  html += fold("Judged differently from system to system", different);
  html += fold("Judged alike", alike);
  if (suite.harmful()) {
    html =
        "<details class=\"harmful\"><summary>Show harmful prompts and the answers to them; they "
        "may offend</summary>\n" +
        html + "</details>\n";
  }
  return "<section aria-label=\"Answers: " + title + "\">\n<h3>Answers</h3>\n" + html +
         "</section>\n";
}

}  // namespace llmpatch
