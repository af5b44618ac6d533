#include "eval/diff_html.h"

#include <algorithm>

#include "base/join.h"
#include "eval/format.h"
#include "eval/html.h"
#include "eval/report_page.h"
#include "eval/statistics.h"

namespace llmpatch {
namespace {

constexpr const char* kArrow = " \xE2\x86\x92 ";

std::string stack_text(const std::vector<DiffPatch>& patches) {
  std::vector<std::string> parts;
  for (const DiffPatch& patch : patches) parts.push_back(patch.name + " " + patch.version);
  return parts.empty() ? "the model alone" : join(parts, " + ");
}

std::string title_text(const DiffSubject& subject) {
  return stack_text(subject.before) + kArrow + stack_text(subject.after);
}

std::string share_text(std::size_t count, std::size_t n) {
  return std::to_string(count) + " of " + std::to_string(n) + " (" +
         percent_text(Proportion{count, n}) + ")";
}

std::string share_html(std::size_t count, std::size_t n) {
  const Proportion share{count, n};
  const Interval interval = share.interval();
  return "<b class=\"value\">" + std::to_string(count) + "</b> <span class=\"interval\">" +
         fixed(100 * share.value(), 1) + " % [" + fixed(100 * interval.low, 1) + ", " +
         fixed(100 * interval.high, 1) + "]</span> <span class=\"n\">of " + std::to_string(n) +
         "</span>";
}

std::string counts_html(const Diff& diff) {
  if (diff.counts.empty()) return "";
  std::string html =
      "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Verdicts\"><table>\n"
      "<caption>What each judge says of all prompts. Fixed: flagged before and not after; broken: "
      "the other way round; p: McNemar, exact</caption>\n<thead><tr><th "
      "scope=\"col\">Judge</th><th scope=\"col\">Fixed</th><th scope=\"col\">Broken</th><th "
      "scope=\"col\">Unchanged</th><th scope=\"col\">No verdict</th><th "
      "scope=\"col\">p</th></tr></thead><tbody>\n";
  for (const DiffCount& count : diff.counts) {
    const std::size_t n = diff.entries.size();
    html += "<tr><th scope=\"row\"><bdi>" + html_escape(count.judge) + "</bdi></th>";
    for (const std::size_t part : {count.fixed, count.broken, count.unchanged, count.no_verdict}) {
      html += "<td>" + share_html(part, n) + "</td>";
    }
    html +=
        "<td>" + html_escape(p_text(mcnemar_exact_p(count.fixed, count.broken))) + "</td></tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

bool has(const DiffEntry& entry, std::size_t judge, DiffChange change) {
  return judge < entry.verdicts.size() && entry.verdicts[judge].change == change;
}

bool judged_alike(const DiffEntry& entry) {
  return std::ranges::none_of(entry.verdicts, [](const DiffVerdict& verdict) {
    return verdict.change == DiffChange::kFixed || verdict.change == DiffChange::kBroken;
  });
}

// The classes that filters look at.
std::string classes_of(const DiffEntry& entry) {
  std::string classes;
  for (std::size_t j = 0; j < entry.verdicts.size(); ++j) {
    if (has(entry, j, DiffChange::kFixed)) classes += " fixed" + std::to_string(j);
    if (has(entry, j, DiffChange::kBroken)) classes += " broken" + std::to_string(j);
  }
  return classes.empty() ? " alike" : classes;
}

struct Filter {
  std::string name;  // the class it shows; "all" shows everything
  std::string label_html;
  std::size_t count = 0;
};

std::vector<Filter> filters_of(const Diff& diff) {
  std::vector<Filter> filters{{"all", "all changed", diff.changed}};
  const auto add = [&](const std::string& name, const std::string& label, const auto& shown) {
    const auto count = std::ranges::count_if(
        diff.entries, [&](const DiffEntry& entry) { return entry.changed && shown(entry); });
    filters.push_back({name, label, static_cast<std::size_t>(count)});
  };
  for (std::size_t j = 0; j < diff.counts.size(); ++j) {
    const std::string judge = ", <bdi>" + html_escape(diff.counts[j].judge) + "</bdi>";
    add("fixed" + std::to_string(j), "fixed" + judge,
        [j](const DiffEntry& entry) { return has(entry, j, DiffChange::kFixed); });
    add("broken" + std::to_string(j), "broken" + judge,
        [j](const DiffEntry& entry) { return has(entry, j, DiffChange::kBroken); });
  }
  if (!diff.counts.empty()) add("alike", "changed, judged as before", judged_alike);
  return filters;
}

// Filters work without script: what is not of the chosen kind is hidden.
std::string filter_style(const std::vector<Filter>& filters) {
  std::string style;
  for (const Filter& filter : filters) {
    if (filter.name == "all") continue;
    style += ".changes:has(#show-" + filter.name + ":checked) .entry:not(." + filter.name +
             "){display:none}\n";
  }
  return style;
}

std::string filters_html(const std::vector<Filter>& filters) {
  if (filters.size() < 2) return "";
  std::string html = "<fieldset class=\"filters\"><legend>Show</legend>\n";
  for (const Filter& filter : filters) {
    html += "<label><input type=\"radio\" name=\"show\" id=\"show-" + filter.name + "\"" +
            (filter.name == "all" ? " checked" : "") + "> " + filter.label_html + " (" +
            std::to_string(filter.count) + ")</label>\n";
  }
  return html + "</fieldset>\n";
}

std::string score_html(const std::optional<double>& score) {
  return score ? html_escape(fixed(*score, 2)) : "no verdict";
}

std::string verdicts_html(const Diff& diff, const DiffEntry& entry) {
  std::string html;
  for (std::size_t j = 0; j < entry.verdicts.size(); ++j) {
    const DiffVerdict& verdict = entry.verdicts[j];
    const char* colour = verdict.change == DiffChange::kFixed    ? "good"
                         : verdict.change == DiffChange::kBroken ? "bad"
                                                                 : "muted";
    html += "<li><bdi>" + html_escape(diff.counts[j].judge) + "</bdi> " +
            score_html(verdict.before) + kArrow + score_html(verdict.after) + " <b class=\"" +
            colour + "\">" + std::string(diff_change_name(verdict.change)) + "</b></li>";
  }
  return html.empty() ? "" : "<ul class=\"verdicts\">" + html + "</ul>\n";
}

std::string side_html(const std::string& classes, const std::string& name, const std::string& text,
                      std::size_t agreed, const std::string& token) {
  return "<div class=\"answer " + classes + "\"><p class=\"who\">" + name +
         "</p><p class=\"said\" dir=\"auto\">" + marked_answer_html(text, agreed, token) +
         "</p></div>\n";
}

std::string entry_html(const Diff& diff, const DiffEntry& entry, const SuitePrompt& prompt,
                       const DiffSubject& subject) {
  std::string about = "prompt " + std::to_string(entry.prompt + 1);
  if (!prompt.category.empty()) about += ", <bdi>" + html_escape(prompt.category) + "</bdi>";
  about += "; the answers part at token " + std::to_string(entry.position + 1) + ", KL " +
           html_escape(fixed(entry.kl, 3)) + " nats there";
  return "<article class=\"asked entry" + classes_of(entry) +
         "\">\n<p class=\"prompt\" "
         "dir=\"auto\">" +
         html_escape(prompt.prompt.text()) + "</p>\n<p class=\"muted small\">" + about + "</p>\n" +
         verdicts_html(diff, entry) + "<div class=\"answers\">\n" +
         side_html("c0", "Before: <bdi>" + html_escape(stack_text(subject.before)) + "</bdi>",
                   entry.before, entry.agreed, entry.token_before) +
         side_html("c1", "After: <bdi>" + html_escape(stack_text(subject.after)) + "</bdi>",
                   entry.after, entry.agreed, entry.token_after) +
         "</div>\n</article>\n";
}

std::string changes_html(const Diff& diff, std::span<const SuitePrompt> prompts,
                         const DiffSubject& subject, const std::vector<Filter>& filters) {
  std::string html = "<section>\n<h2>Answers that changed</h2>\n";
  if (diff.changed == 0) return html + "<p>None.</p>\n</section>\n";
  html +=
      "<details class=\"harmful\"><summary>Show the prompts and both answers; they may offend"
      "</summary>\n<div class=\"changes\">\n" +
      filters_html(filters);
  for (const DiffEntry& entry : diff.entries) {
    if (entry.changed) html += entry_html(diff, entry, prompts[entry.prompt], subject);
  }
  return html + "</div>\n</details>\n</section>\n";
}

std::string patches_html(const char* side, const std::vector<DiffPatch>& patches) {
  std::string html = std::string("<dt>") + side + "</dt><dd>";
  if (patches.empty()) html += "the model alone";
  for (std::size_t i = 0; i < patches.size(); ++i) {
    html += (i > 0 ? "<br>" : "") + html_escape(patches[i].name + " " + patches[i].version) +
            " <code>" + html_escape(patches[i].digest) + "</code>";
  }
  return html + "</dd>\n";
}

bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

}  // namespace

std::string marked_answer_html(const std::string& text, std::size_t agreed,
                               const std::string& token) {
  std::size_t begin = std::min(agreed, text.size());
  while (begin > 0 && begin < text.size() && continues_character(text[begin])) --begin;
  const std::string common =
      "<span class=\"agreed\">" + html_escape(text.substr(0, begin)) + "</span>";
  if (begin == text.size()) return common + "<mark class=\"ended\">end</mark>";
  std::size_t end = std::min(std::max(agreed + token.size(), begin + 1), text.size());
  while (end < text.size() && continues_character(text[end])) ++end;
  return common + "<mark>" + html_escape(text.substr(begin, end - begin)) + "</mark>" +
         html_escape(text.substr(end));
}

std::string diff_release_notes(const Diff& diff, const DiffSubject& subject) {
  const std::size_t n = diff.entries.size();
  std::string notes = "## " + title_text(subject) + "\n\nOn " + subject.model +
                      ", greedy answers of at most " + std::to_string(subject.max_tokens) +
                      " tokens: " + share_text(diff.changed, n) + " changed.\n";
  for (const DiffCount& count : diff.counts) {
    notes += "\n- " + count.judge + ": fixed " + share_text(count.fixed, n) + ", broken " +
             share_text(count.broken, n) + ", p " +
             p_text(mcnemar_exact_p(count.fixed, count.broken));
    if (count.no_verdict > 0) notes += ", no verdict on " + std::to_string(count.no_verdict);
  }
  return notes + "\n";
}

std::string diff_html(const Diff& diff, std::span<const SuitePrompt> prompts,
                      const DiffSubject& subject) {
  const std::vector<Filter> filters = filters_of(diff);
  const std::string body =
      "<header>\n<p class=\"muted\">What changes</p>\n<h1><bdi>" +
      html_escape(stack_text(subject.before)) + "</bdi>" + kArrow + "<bdi>" +
      html_escape(stack_text(subject.after)) + "</bdi></h1>\n<p class=\"lead\">" +
      std::to_string(diff.changed) + " of " + std::to_string(diff.entries.size()) +
      " answers changed on <bdi>" + html_escape(subject.model) + "</bdi></p>\n</header>\n" +
      counts_html(diff) + "<section>\n<h2>Release notes</h2>\n<pre>" +
      html_escape(diff_release_notes(diff, subject)) + "</pre>\n</section>\n" +
      changes_html(diff, prompts, subject, filters) +
      "<section>\n<h2>What was compared</h2>\n<dl>\n<dt>Model</dt><dd>" +
      html_escape(subject.model) + "</dd>\n" + patches_html("Before", subject.before) +
      patches_html("After", subject.after) + "<dt>Decoding</dt><dd>greedy, at most " +
      std::to_string(subject.max_tokens) + " tokens</dd>\n</dl>\n</section>\n";
  return page_html("Diff: " + title_text(subject), body, filter_style(filters));
}

}  // namespace llmpatch
