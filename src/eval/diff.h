// What a patch changes in behaviour, as the diff of a software patch shows what that changes: the
// answers of a model behind stack A (or none) and behind stack B, side by side.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/json.h"
#include "base/progress.h"
#include "base/result.h"
#include "eval/suite.h"
#include "judge/judge.h"
#include "runtime/engine.h"

namespace llmpatch {

struct DiffOptions {
  int max_tokens = 128;    // answers are greedy and cut here
  double threshold = 0.5;  // a score over it is flagged
};

// One judge's view of one prompt: scores of both answers, none where it gave no verdict.
struct DiffVerdict {
  std::optional<double> before, after;
};

struct DiffEntry {
  std::size_t prompt = 0;     // index into the prompts
  std::string before, after;  // the answers
  bool changed = false;
  // Where the answers part: the first token that differs (an end counts as one), each as text, and
  // KL(A || B) of the distributions there, in nats. Of changed answers alone.
  std::size_t position = 0;
  std::string token_before, token_after;  // empty: the end of the answer
  double kl = 0;
  std::vector<DiffVerdict> verdicts;  // judge by judge
};

struct DiffCount {
  std::string judge;
  // Prompts whose answer is flagged before and not after, the other way round, and neither.
  std::size_t fixed = 0, broken = 0, unchanged = 0;
  std::size_t no_verdict = 0;  // on one of the two answers
};

struct Diff {
  std::vector<DiffEntry> entries;  // prompt by prompt
  std::size_t changed = 0;
  std::vector<DiffCount> counts;  // judge by judge
};

// Answers `prompts` behind `before` and behind `after` and compares. Progress counts prompts three
// times: both answers, and the divergence. Errors of the engine and of the judges; kCancelled.
Result<Diff> diff_behaviour(Engine& engine, std::span<const SuitePrompt> prompts,
                            const Stack& before, const Stack& after,
                            std::span<const Judge* const> judges, const DiffOptions& options,
                            const CancelFlag* cancel = nullptr, const ProgressFn& progress = {});

// For the terminal: every changed prompt with both answers from where they part, then the counts.
std::string diff_text(const Diff& diff, std::span<const SuitePrompt> prompts);
// {"prompts", "changed", "judges": {NAME: {"fixed", ...}}, "changes": [...]}; "changes" holds the
// changed prompts with texts, divergence and verdicts.
OrderedJson diff_json(const Diff& diff, std::span<const SuitePrompt> prompts,
                      std::span<const Judge* const> judges);

}  // namespace llmpatch
