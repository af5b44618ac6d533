// What a patch changes in behaviour, as the diff of a software patch shows what that changes: the
// answers of a model behind stack A (or none) and behind stack B, side by side.
#pragma once

#include <optional>
#include <string>
#include <string_view>
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

// Flagged before and not after, the other way round, neither, or no verdict on one of the two.
enum class DiffChange { kFixed, kBroken, kUnchanged, kNoVerdict };
// "fixed", "broken", "unchanged", "no verdict"
std::string_view diff_change_name(DiffChange change);

// One judge's view of one prompt: scores of both answers, none where it gave no verdict.
struct DiffVerdict {
  std::optional<double> before, after;
  DiffChange change = DiffChange::kUnchanged;
};

struct DiffEntry {
  std::size_t prompt = 0;     // index into the prompts
  std::string before, after;  // the answers
  bool changed = false;
  // Where the answers part: the first token that differs (an end counts as one), each as text, and
  // KL(A || B) of the distributions there, in nats. Of changed answers alone.
  std::size_t position = 0;
  std::string token_before, token_after;  // empty: the end of the answer
  std::size_t agreed = 0;                 // bytes that both answers begin with, before that token
  double kl = 0;
  std::vector<DiffVerdict> verdicts;  // judge by judge
};

struct DiffCount {
  std::string judge;
  std::size_t fixed = 0, broken = 0, unchanged = 0, no_verdict = 0;  // prompts, by DiffChange
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

// What was compared, for those who read it later.
struct DiffPatch {
  std::string name, version, digest;  // sha256 of adapter_model.safetensors
};
struct DiffSubject {
  std::string model;                     // its file's name
  std::vector<DiffPatch> before, after;  // the stacks; empty: the model alone
  int max_tokens = 0;                    // where answers were cut
};

// For the terminal: every changed prompt with both answers from where they part, then the counts.
std::string diff_text(const Diff& diff, std::span<const SuitePrompt> prompts);
// {"model", "from", "to", "prompts", "changed", "judges": {NAME: {"fixed", ...}}, "changes":
// [...]}; "changes" holds the changed prompts with texts, divergence and verdicts.
OrderedJson diff_json(const Diff& diff, std::span<const SuitePrompt> prompts,
                      std::span<const Judge* const> judges, const DiffSubject& subject);

}  // namespace llmpatch
