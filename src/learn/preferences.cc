#include "learn/preferences.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>

#include "base/json.h"
#include "learn/prompt_list.h"

namespace llmpatch {
namespace {

// The text of `chosen` or `rejected`: a string, or TRL's conversational form with one message.
Result<std::string> answer_text(const Json& line, const char* key, const std::string& where) {
  const auto found = line.find(key);
  if (found != line.end() && found->is_array()) {
    if (found->size() == 1 && (*found)[0].is_object() &&
        (*found)[0].value("role", "") == "assistant") {
      return json_string((*found)[0], "content", where);
    }
    return make_error(
        ErrorKind::kUnsupported, "learn",
        where + ": member '" + key + "': found a conversation, expected one assistant message");
  }
  return json_string(line, key, where);
}

bool bool_or(const Json& line, const char* key, bool fallback) {
  const auto found = line.find(key);
  return found != line.end() && found->is_boolean() ? found->get<bool>() : fallback;
}

// What is known about prompt `i`: nothing where `values` is empty.
std::optional<double> known_at(const std::vector<double>& values, std::size_t i) {
  return values.empty() ? std::nullopt : std::optional<double>(values[i]);
}

// Places of the texts that are not empty, from the lowest score to the highest; equal ones as they
// stand.
std::vector<std::size_t> by_score(const std::vector<std::string>& texts,
                                  std::span<const double> scores) {
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (!texts[i].empty()) places.push_back(i);
  }
  std::stable_sort(places.begin(), places.end(),
                   [&](std::size_t a, std::size_t b) { return scores[a] < scores[b]; });
  return places;
}

double number_or_zero(const Json& line, const char* key) {
  const auto found = line.find(key);
  return found != line.end() && found->is_number() ? found->get<double>() : 0;
}

}  // namespace

Result<std::vector<Preference>> judge_preferences(
    const std::vector<Prompt>& prompts, const std::vector<PromptFormat>& formats,
    const std::vector<Answers>& rejected, const std::vector<Answers>& chosen,
    const std::string& chosen_text, const Judge& judge, const PreferenceFilter& filter,
    const AnswerGld& gld) {
  // Everything is scored in one call: a judge may be slow to start.
  std::vector<JudgeItem> items;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    for (const auto& text : rejected[i].texts) {
      items.push_back({prompts[i].text(), text, known_at(gld.rejected, i)});
    }
    if (chosen.empty()) {
      items.push_back({prompts[i].text(), chosen_text});
    } else {
      for (const auto& text : chosen[i].texts) {
        items.push_back({prompts[i].text(), text, known_at(gld.chosen, i)});
      }
    }
  }
  LLMPATCH_ASSIGN(const std::vector<double> scores, judge.score(items));
  std::vector<Preference> kept;
  std::size_t next = 0;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const std::size_t first_rejected = next;
    const std::size_t first_chosen = next + rejected[i].texts.size();
    next = first_chosen + (chosen.empty() ? 1 : chosen[i].texts.size());
    const std::vector<std::string> fixed{chosen_text};
    const std::span<const double> those(scores.data() + first_chosen, next - first_chosen);
    const auto ranked = by_score(chosen.empty() ? fixed : chosen[i].texts, those);
    if (ranked.empty()) continue;
    const std::size_t best = first_chosen + ranked.front();
    if (scores[best] >= filter.max_chosen_score) continue;
    for (std::size_t k = 0; k < rejected[i].texts.size(); ++k) {
      if (rejected[i].texts[k].empty()) continue;
      const double score = scores[first_rejected + k];
      if (std::abs(score - scores[best]) <= filter.margin) continue;
      Preference preference;
      preference.prompt = prompts[i];
      preference.format = formats[i];
      preference.rejected = rejected[i].texts[k];
      preference.rejected_complete = rejected[i].complete[k];
      preference.chosen = chosen.empty() ? chosen_text : chosen[i].texts[best - first_chosen];
      preference.chosen_complete = chosen.empty() || chosen[i].complete[best - first_chosen];
      preference.score_chosen = scores[best];
      preference.score_rejected = score;
      kept.push_back(std::move(preference));
    }
  }
  return kept;
}

Result<std::vector<Preference>> best_and_worst(const std::vector<Prompt>& prompts,
                                               const std::vector<PromptFormat>& formats,
                                               const std::vector<Answers>& sampled,
                                               const std::vector<Answers>& chosen,
                                               const Judge& judge, const PreferenceFilter& filter,
                                               const AnswerGld& gld) {
  std::vector<JudgeItem> items;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    for (const auto& text : sampled[i].texts) {
      items.push_back({prompts[i].text(), text, known_at(gld.rejected, i)});
    }
    if (chosen.empty()) continue;
    for (const auto& text : chosen[i].texts) {
      items.push_back({prompts[i].text(), text, known_at(gld.chosen, i)});
    }
  }
  LLMPATCH_ASSIGN(const std::vector<double> scores, judge.score(items));
  std::vector<Preference> kept;
  std::size_t next = 0;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const auto take = [&](const Answers& answers) {
      const std::span<const double> those(scores.data() + next, answers.texts.size());
      next += answers.texts.size();
      return those;
    };
    const Answers& better = chosen.empty() ? sampled[i] : chosen[i];
    const auto worse_scores = take(sampled[i]);
    const auto better_scores = chosen.empty() ? worse_scores : take(chosen[i]);
    const auto worst = by_score(sampled[i].texts, worse_scores);
    const auto best = by_score(better.texts, better_scores);
    const std::size_t most =
        chosen.empty() ? worst.size() / 2 : std::min(best.size(), worst.size());
    for (std::size_t k = 0; k < most; ++k) {
      const std::size_t good = best[k];
      const std::size_t bad = worst[worst.size() - 1 - k];
      // Later pairs are closer together.
      if (worse_scores[bad] - better_scores[good] <= filter.margin ||
          better_scores[good] >= filter.max_chosen_score) {
        break;
      }
      Preference preference;
      preference.prompt = prompts[i];
      preference.format = formats[i];
      preference.chosen = better.texts[good];
      preference.chosen_complete = better.complete[good];
      preference.rejected = sampled[i].texts[bad];
      preference.rejected_complete = sampled[i].complete[bad];
      preference.score_chosen = better_scores[good];
      preference.score_rejected = worse_scores[bad];
      kept.push_back(std::move(preference));
    }
  }
  return kept;
}

Result<Preference> ready_preference(const Prompt& prompt, PromptFormat format,
                                    const std::string& file) {
  const std::string where = file + " line " + std::to_string(prompt.line);
  Preference preference;
  preference.prompt = prompt;
  preference.format = format;
  LLMPATCH_ASSIGN(preference.chosen, answer_text(prompt.fields, "chosen", where));
  LLMPATCH_ASSIGN(preference.rejected, answer_text(prompt.fields, "rejected", where));
  if (preference.chosen.empty() || preference.rejected.empty()) {
    return make_error(ErrorKind::kCorrupt, "learn",
                      where + ": found an empty answer, expected text");
  }
  preference.chosen_complete = bool_or(prompt.fields, "chosen_complete", true);
  preference.rejected_complete = bool_or(prompt.fields, "rejected_complete", true);
  preference.score_chosen = number_or_zero(prompt.fields, "score_chosen");
  preference.score_rejected = number_or_zero(prompt.fields, "score_rejected");
  return preference;
}

Result<std::vector<Preference>> read_preferences(const std::filesystem::path& path,
                                                 PromptFormat default_format) {
  LLMPATCH_ASSIGN(const std::vector<Prompt> prompts, read_prompts(path, "preference pairs"));
  std::vector<Preference> preferences;
  for (const Prompt& prompt : prompts) {
    LLMPATCH_ASSIGN(
        const PromptFormat format,
        format_of(prompt, default_format, path.string() + " line " + std::to_string(prompt.line)));
    LLMPATCH_ASSIGN(auto preference, ready_preference(prompt, format, path.string()));
    preferences.push_back(std::move(preference));
  }
  return preferences;
}

std::string preferences_to_lines(const std::vector<Preference>& preferences) {
  std::string text;
  for (const Preference& preference : preferences) {
    OrderedJson line = prompt_to_json(preference.prompt, preference.format);
    line["chosen"] = preference.chosen;
    line["rejected"] = preference.rejected;
    line["chosen_complete"] = preference.chosen_complete;
    line["rejected_complete"] = preference.rejected_complete;
    line["score_chosen"] = preference.score_chosen;
    line["score_rejected"] = preference.score_rejected;
    text += json_line(line) + "\n";
  }
  return text;
}

}  // namespace llmpatch
