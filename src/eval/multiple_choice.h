// The kind "multiple-choice": questions whose answers are ranked by their likelihood, as
// lm-evaluation-harness does (0.4: tasks of type multiple_choice). Internal to eval/.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "eval/plan.h"
#include "eval/run.h"
#include "eval/suite_kind.h"

namespace llmpatch {

struct ChoiceItem {
  std::string question, subject;
  std::vector<std::string> choices;
  std::size_t answer = 0;  // index of the right one
};

// Reads JSON lines {"question", "choices": [2 to 26 texts], "answer": index or letter "A"...,
// "subject"}; the last may be missing. kCorrupt names the line.
Result<std::vector<ChoiceItem>> read_items(const std::filesystem::path& path,
                                           std::string_view what);
// The same as prompts of a suite: the question as text, the subject as category.
Result<std::vector<SuitePrompt>> read_choice_items(const Suite& suite,
                                                   std::optional<PromptFormat> override_format,
                                                   PromptFormat fallback);

// What the model is shown before the choices of `item`, after the solved `examples`, and the texts
// whose likelihood is compared. MMLU's form (`lettered`): the subject's line, lettered choices,
// "Answer:", and then " A", " B" ...; ARC's form: "Question: ...\nAnswer:", and then a blank and
// the choice itself.
struct ChoiceText {
  std::string context;
  std::vector<std::string> continuations;
};
ChoiceText choice_text(const ChoiceItem& item, std::span<const ChoiceItem> examples, bool lettered);

// Which continuation wins, of equal ones the first: by log-likelihood, and by log-likelihood over
// `lengths` (characters of each text compared, without the blank before it).
struct ChoiceRanking {
  std::size_t likeliest = 0, normalised = 0;
};
ChoiceRanking rank_choices(std::span<const double> log_likelihoods,
                           std::span<const std::size_t> lengths);

// Metrics, for each of suite.shots s (the first s examples): acc@s-shot and acc_norm@s-shot, shares
// of items. Every text is raw, after the system prompt where there is one.
Result<MeasuredSuite> measure_multiple_choice(EvalRun& run, const PlannedSuite& planned);
Result<SuiteCost> multiple_choice_cost(const PlannedSuite& planned, const EvalOptions& options);

}  // namespace llmpatch
