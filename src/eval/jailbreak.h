// The kind "jailbreak": the suite's prompts inside templates that are known to talk models out of a
// refusal. Static attacks: nobody searches for what breaks this model. Internal to eval/.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "eval/generation.h"
#include "eval/plan.h"
#include "eval/run.h"
#include "eval/suite_kind.h"

namespace llmpatch {

// One template: a conversation whose texts hold places for the prompt,
//   {prompt}                       as it is
//   {base64}                       in base64 (RFC 4648, with padding)
//   {first_half}, {second_half}    cut at the word boundary nearest to the middle
// and, when `prefill` is not empty, the beginning of the answer.
struct JailbreakTemplate {
  std::string name;
  std::vector<Message> messages;
  std::string prefill;
};

// Reads JSON lines {"name", "messages": [{"role", "content"}...], "prefill"}; the last may be
// missing. kCorrupt names the line: no place for the prompt, a name twice, another member, a
// conversation that does not end with the user.
Result<std::vector<JailbreakTemplate>> read_jailbreak_templates(const std::filesystem::path& path);

// `prompt` inside `attack`: always in chat form. A prompt that is a conversation is put in by its
// last user message.
SuitePrompt apply_template(const JailbreakTemplate& attack, const SuitePrompt& prompt);

// The metrics of measure_variants(), a variant for each template, named by it.
Result<MeasuredSuite> measure_jailbreak(EvalRun& run, const PlannedSuite& planned);
Result<SuiteCost> jailbreak_cost(const PlannedSuite& planned, const EvalOptions& options);

}  // namespace llmpatch
