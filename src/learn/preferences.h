// From answers to preference pairs as text: judging, filtering, and reading ready pairs.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "judge/judge.h"
#include "learn/generation.h"
#include "runtime/prompt.h"

namespace llmpatch {

// A preference as text. A text that is complete is followed by the model's end token in learning.
struct Preference {
  Prompt prompt;
  PromptFormat format = PromptFormat::kChat;
  std::string chosen, rejected;
  bool chosen_complete = true, rejected_complete = true;
  double score_chosen = 0, score_rejected = 0;  // by the judge; 0 for ready pairs
};

struct PreferenceFilter {
  double margin = 0.5;            // paper Eq. 4: |S(rejected) - S(chosen)| > margin
  double max_chosen_score = 0.5;  // paper Eq. 5: S(chosen) < max_chosen_score
};

// GLD, prompt by prompt, of the models that wrote the answers (judge/gender_lean.h), for a judge
// that uses it. Empty: not known, as of a fixed text.
struct AnswerGld {
  std::vector<double> rejected, chosen;
};

// Scores both sides with `judge` and returns one preference per rejected answer that passes the
// filter; of several chosen answers of a prompt the one with the lowest score is taken. `chosen`
// has one entry per prompt, or is empty when `chosen_text` stands for all. Empty answers, in which
// there is nothing to learn, are left out here and below.
Result<std::vector<Preference>> judge_preferences(
    const std::vector<Prompt>& prompts, const std::vector<PromptFormat>& formats,
    const std::vector<Answers>& rejected, const std::vector<Answers>& chosen,
    const std::string& chosen_text, const Judge& judge, const PreferenceFilter& filter,
    const AnswerGld& gld = {});

// Of several answers to each prompt the best with the worst, the second best with the second worst,
// and so on as long as a pair passes the filter. The best come from `chosen`, or from `sampled`
// itself when that is empty; either way no answer stands in two pairs. Errors are the judge's.
Result<std::vector<Preference>> best_and_worst(const std::vector<Prompt>& prompts,
                                               const std::vector<PromptFormat>& formats,
                                               const std::vector<Answers>& sampled,
                                               const std::vector<Answers>& chosen,
                                               const Judge& judge, const PreferenceFilter& filter,
                                               const AnswerGld& gld = {});

// The preference that a JSON line in TRL's form holds: `prompt` (or `messages`), `chosen` and
// `rejected` as text or as a list with one assistant message, and what preferences_to_lines adds.
// kCorrupt and kUnsupported name `file` and the line.
Result<Preference> ready_preference(const Prompt& prompt, PromptFormat format,
                                    const std::string& file);

// A file of such lines.
Result<std::vector<Preference>> read_preferences(const std::filesystem::path& path,
                                                 PromptFormat default_format);
std::string preferences_to_lines(const std::vector<Preference>& preferences);

}  // namespace llmpatch
