#include "eval/report_metric.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "eval/format.h"

namespace llmpatch {
namespace {

struct Words {
  std::string_view measure, label, good;
  bool percent, higher;
};

// `{}` is the judge.
constexpr Words kWords[] = {
    {"refusal", "refused", "higher is safer", true, true},
    {"over-refusal", "refused although harmless", "lower is better", true, false},
    {"refusal-scary", "refused, of the scary-looking", "", true, true},
    {"over-refusal-scary", "refused although harmless, of the scary-looking", "lower is better",
     true, false},
    {"degenerate", "degenerate: empty, looping or repetitive", "lower is better", true, false},
    {"trigram_repetition", "repeated trigrams within an answer", "lower is better", false, false},
    {"trigram_overlap", "trigrams shared by a prompt's samples", "lower is more varied", false,
     false},
    {"answer_tokens", "answer length, tokens", "", false, false},
    {"tokens", "answer length, tokens", "", false, false},
    {"flagged", "flagged by {}", "lower is safer", true, false},
    {"flagged_gen", "samples flagged by {}", "lower is safer", true, false},
    {"flagged_prompt", "prompts with a sample flagged by {}", "lower is safer", true, false},
    {"flagged_any", "prompts flagged by {} in at least one variant", "lower is safer", true, false},
    {"expected_maximum", "expected maximum score of {}", "lower is safer", false, false},
    {"score", "mean score of {}", "lower is safer", false, false},
    {"no_verdict", "answers {} gave no verdict on", "each counts as flagged", true, false},
    {"perplexity", "perplexity under the base model", "", false, false},
    {"perplexity_base", "perplexity under the base model", "", false, false},
    {"perplexity_reference", "perplexity under the reference model", "", false, false},
    {"gld", "GLD: how one-sided the next pronoun is", "lower is more balanced", false, false},
    {"gld_raw", "GLD without its denominator", "", false, false},
    {"signed_bias", "signed bias: female above 0", "nearer to 0 is more balanced", false, false},
    {"mass", "mass of gendered pronouns", "", false, false},
    {"mass_median", "median mass of gendered pronouns", "", false, false},
    {"low_mass", "prompts with next to no such mass", "", true, false},
    {"acc", "right answers", "higher is better", true, true},
    {"acc_norm", "right answers, by likelihood per character", "higher is better", true, true},
    {"kl", "KL from the base model, nats per token", "lower changes less", false, false},
    {"kl_first", "the same over the first tokens", "lower changes less", false, false},
    {"kl_from_base", "KL from the base model, nats per token", "lower changes less", false, false},
    {"kl_from_reference", "KL from the reference model, nats per token", "lower is nearer to it",
     false, false},
    {"opening_log_prob", "log-probability of affirmative openings", "lower is safer", false, false},
    {"answer_log_prob", "log-probability of the base model's own answers", "lower is safer", false,
     false},
    {"first_token_seconds", "seconds to the first token", "lower is faster", false, false},
    {"tokens_per_second", "tokens per second", "higher is faster", false, true},
};

std::string tag_text(const std::string& tag) {
  if (tag.empty()) return "";
  const bool number = std::ranges::all_of(tag, [](char c) { return c >= '0' && c <= '9'; });
  return ", " + (number ? tag + (tag == "1" ? " sample" : " samples") : tag);
}

}  // namespace

MetricName split_metric(const std::string& name) {
  MetricName parts;
  std::string rest = name;
  if (const auto open = rest.find('['); open != std::string::npos && rest.ends_with(']')) {
    parts.variant = rest.substr(open + 1, rest.size() - open - 2);
    rest.resize(open);
  }
  if (const auto at = rest.find('@'); at != std::string::npos) {
    parts.tag = rest.substr(at + 1);
    rest.resize(at);
  }
  if (const auto dot = rest.find('.'); dot != std::string::npos) {
    parts.judge = rest.substr(0, dot);
    rest.erase(0, dot + 1);
  }
  parts.measure = rest;
  return parts;
}

MetricWords metric_words(const std::string& name) {
  const MetricName parts = split_metric(name);
  std::string measure = parts.measure;
  const bool ratio = measure.ends_with(" ratio");
  if (ratio) measure.resize(measure.size() - std::string_view(" ratio").size());
  const auto found = std::ranges::find(kWords, measure, &Words::measure);
  // Of a judge a name of ours means nothing without it, and the other way round.
  const bool judged =
      found != std::end(kWords) && found->label.find("{}") != std::string_view::npos;
  if (found == std::end(kWords) || judged == parts.judge.empty()) return {name, "", false, false};
  MetricWords words{std::string(found->label), std::string(found->good), found->percent,
                    found->higher};
  if (judged) words.label.replace(words.label.find("{}"), 2, parts.judge);
  if (parts.judge == "right-pronoun" && measure.starts_with("flagged")) {
    words.good = "higher is better: the right pronoun, and no other";
    words.higher_is_better = true;
  }
  words.label += tag_text(parts.tag);
  if (!parts.variant.empty()) words.label += ", " + parts.variant;
  if (ratio) {
    words.label += ": ratio to the base model";
    words.percent = false;
  }
  return words;
}

std::string number_text(double value, bool percent) {
  if (!std::isfinite(value)) return "not a number";
  const double size = std::fabs(value);
  if (percent && size < 1e6) return fixed(100 * value, 1) + " %";
  if (size >= 1e6 || (size > 0 && size < 1e-3)) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.2e", value);
    return text.data();
  }
  return fixed(value, size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3);
}

std::string interval_text(double low, double high, bool percent) {
  const auto end = [&](double value) {
    std::string text = number_text(value, percent);
    if (text.ends_with(" %")) text.resize(text.size() - 2);
    return text;
  };
  return "[" + end(low) + ", " + end(high) + "]";
}

std::string figure_html(const ReportFigure& figure, bool percent, std::size_t prompts) {
  if (figure.n == 0) return "-";
  std::string html = "<b class=\"value\">" + number_text(figure.value, percent) +
                     "</b> <span class=\"interval\">" +
                     interval_text(figure.low, figure.high, percent) +
                     "</span> <span class=\"n\">" +
                     (figure.count ? std::to_string(*figure.count) + " of " : "n ") +
                     std::to_string(figure.n) + "</span>";
  if (figure.zero_upper && figure.value == 0) {
    html += " <span class=\"limit\">none seen: below " + number_text(*figure.zero_upper, true) +
            "</span>";
  }
  if (prompts > figure.n) {
    html += " <span class=\"limit\">" + std::to_string(figure.n) + " of " +
            std::to_string(prompts) + " prompts</span>";
  }
  return html;
}

}  // namespace llmpatch
