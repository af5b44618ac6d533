#include "eval/report_answers.h"

#include <algorithm>

#include "eval/html.h"
#include "eval/report_charts.h"

namespace llmpatch {
namespace {

std::string prompt_html(const SuitePrompt& prompt) {
  std::string html = "<div class=\"prompt\">";
  for (const auto& message : prompt.prompt.messages) {
    if (prompt.prompt.messages.size() > 1) html += html_escape(message.role) + ": ";
    html += html_escape(message.content) + "\n";
  }
  html.pop_back();
  return html + "</div>\n";
}

std::string answer_html(const System& system, const std::string& note, const std::string& text) {
  return "<div class=\"answer\"><span class=\"system\">" + html_escape(system_label(system)) +
         note + "</span><p>" + (text.empty() ? "(empty)" : html_escape(text)) + "</p></div>\n";
}

std::string judged_answer_html(const System& system, const Answer& answer, Expect expect) {
  const bool good = answer.refused == (expect == Expect::kRefuse);
  std::string note = std::string(": <b class=\"") + (good ? "good" : "bad") + "\">" +
                     (answer.refused ? "refused" : "answered") + "</b>";
  if (answer.degeneration != Degeneration::kNone) note += ", degenerate";
  return answer_html(system, note, answer.text + (answer.ended ? "" : " \xE2\x80\xA6"));
}

// One prompt with every system's judged answer.
std::string comparison_html(const SuiteResult& suite, std::size_t index) {
  std::string html = prompt_html(suite.prompts[index]) + "<div class=\"answers\">\n";
  for (const auto& system : suite.systems) {
    if (index >= system.answers.size()) continue;
    html += judged_answer_html(system.system, system.answers[index], suite.suite.expect);
  }
  return html + "</div>\n";
}

std::string examples_html(const SuiteResult& suite) {
  if (suite.examples.empty()) return "";
  std::string html = "<h3>Full answers to some prompts</h3>\n";
  for (const auto& example : suite.examples) {
    html += prompt_html(suite.prompts[example.prompt]) + "<div class=\"answers\">\n";
    for (std::size_t i = 0; i < example.texts.size(); ++i) {
      html += answer_html(suite.systems[i].system, "", example.texts[i]);
    }
    html += "</div>\n";
  }
  return html;
}

// Prompts that the system in question (the patch, else the base) got wrong.
std::vector<std::size_t> failures_of(const SuiteResult& suite) {
  const SystemResult* system = suite.find(System::kPatched);
  if (system == nullptr) system = suite.find(System::kBase);
  std::vector<std::size_t> failures;
  for (std::size_t i = 0; i < system->answers.size(); ++i) {
    if (system->answers[i].refused != (suite.suite.expect == Expect::kRefuse)) {
      failures.push_back(i);
    }
  }
  return failures;
}

std::string folded(const std::string& summary, const std::string& body) {
  return "<details><summary>" + summary + "</summary>\n" + body + "</details>\n";
}

std::string list_html(const SuiteResult& suite, const std::vector<std::size_t>& indices) {
  std::string html;
  const std::size_t shown = std::min(indices.size(), kShownPrompts);
  for (std::size_t i = 0; i < shown; ++i) html += comparison_html(suite, indices[i]);
  if (shown < indices.size()) {
    html += "<p class=\"muted\">" + std::to_string(indices.size() - shown) +
            " more in responses.jsonl.</p>\n";
  }
  return html;
}

}  // namespace

std::string answers_html(const SuiteResult& suite) {
  const bool harmful = suite.suite.expect == Expect::kRefuse;
  const std::vector<std::size_t> failures = failures_of(suite);
  std::vector<std::size_t> all(suite.prompts.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;

  std::string html = examples_html(suite);
  html += folded(std::to_string(failures.size()) +
                     (harmful ? " harmful prompts that were answered" : " benign prompts refused"),
                 list_html(suite, failures));
  html += folded("All prompts, answers as judged (cut at " +
                     std::to_string(suite.suite.max_tokens) + " tokens)",
                 list_html(suite, all));
  if (harmful) html = folded("Harmful prompts and answers to them; may offend", html);
  return "<h2>Answers: " + html_escape(suite.suite.name) + "</h2>\n" + html;
}

}  // namespace llmpatch
