// Running an evaluation again from its card.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "eval/evaluate.h"

namespace llmpatch {

// What a card (eval.json) says of the run that made it. Numbers and names alone: nothing of a card
// is ever executed, and no path is taken from it.
struct RecordedRun {
  std::vector<std::string> suites;  // by name, in order
  std::string model_sha256, teacher_sha256;
  std::vector<std::string> patch_digests;  // of the rows, in order
  Compose compose = Compose::kSequential;
  std::string system;
  std::optional<PromptFormat> format;
  std::size_t system_limit = 0, side_effect_limit = 0, compliance_limit = 0;
  std::uint64_t seed = 0;
  bool exact = false;
  int threads = 0;
  std::vector<std::string> judges;   // beyond the suites' own
  std::vector<std::string> further;  // labels of further systems (system.h)
};

// kCorrupt names the member that is missing or wrong; kUnsupported for a card of another schema or
// one that records no settings.
Result<RecordedRun> recorded_run(const Json& card);

// kMismatch when `again` measured something else than `recorded`: another model, other patches,
// other prompts of a suite, or a further system that both name but that is not the same.
Status check_same_run(const Json& recorded, const Json& again);

// `card` without what it records of the systems `labels`.
Json without_systems(Json card, const std::vector<std::string>& labels);

// A figure that left its recorded interval.
struct Departure {
  std::string metric;  // "toxicity: patch: toxicity-svm.flagged_gen@25"
  double value = 0;    // now
  double low = 0, high = 0;
};

// Every figure of suites, side effects and compliance in `recorded` whose value in `again` lies
// outside [low, high], or is missing (NaN). Timing is another machine's and not compared.
std::vector<Departure> departures(const Json& recorded, const Json& again);

}  // namespace llmpatch
