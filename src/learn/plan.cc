#include "learn/plan.h"

#include <algorithm>
#include <sstream>

#include "learn/threshold.h"

namespace llmpatch {
namespace {

std::size_t size(std::int64_t number) { return static_cast<std::size_t>(number); }

// Tokens of a stage's preparation: answers to learn from and texts to retain.
std::size_t material_tokens(const LearnOptions& options, const LearnData& data) {
  std::size_t tokens = 0;
  if (makes_pairs(options)) {
    const std::size_t samples = data.prompts.size() * size(samples_of(options));
    tokens += samples * size(options.rejected_tokens) + teacher_tokens(options, data);
  }
  if (data.runs.empty()) {  // a joint run takes them from its runs
    tokens += (data.retain.size() + data.validate_retain.size()) * size(options.retain_tokens);
  }
  if (keeps_whole_answers(options)) {
    const auto whole = [&](std::size_t prompts) {
      return std::min(prompts, size(options.whole_texts)) * size(options.whole_tokens);
    };
    if (data.runs.empty()) tokens += whole(data.retain.size());
    for (const FinishedRun& run : data.runs) tokens += whole(run.retain.prompts.size());
  }
  return tokens;
}

// Tokens of the answers to the harmful prompts of one validation.
std::size_t harmful_tokens(const LearnOptions& options, const LearnData& data) {
  const auto of = [](std::size_t prompts, int samples, int tokens) {
    return prompts * size(std::max(samples, 1)) * size(tokens);
  };
  if (data.runs.empty()) {
    return of(data.validate.size(), options.validate_samples, options.validate_tokens);
  }
  std::size_t tokens = 0;
  for (const FinishedRun& run : data.runs) {
    tokens += of(run.validate.prompts.size(), run.validate_samples, run.validate_tokens);
  }
  return tokens;
}

std::size_t validation_tokens(const LearnOptions& options, const LearnData& data) {
  const auto validations = [](bool runs, const StageOptions& stage) {
    return runs ? size((stage.schedule.total + stage.evaluate_every - 1) / stage.evaluate_every + 1)
                : 0;
  };
  const std::size_t checks =
      validations(options.sft, options.sft_stage) + validations(options.dpo, options.dpo_stage);
  const std::size_t each = size(options.validate_tokens);
  const std::size_t harmful = harmful_tokens(options, data);
  const std::size_t benign = data.validate_retain.size() * each;
  std::size_t tokens = checks * (harmful + benign);
  if (!data.runs.empty()) tokens += harmful;  // of the base model
  if (options.over_refusal > 0) {
    tokens +=
        kMeasurements * std::min(data.retain.size(), kThresholdPrompts) * each + harmful + benign;
  }
  return tokens;
}

}  // namespace

std::size_t teacher_tokens(const LearnOptions& options, const LearnData& data) {
  if (!asks_teacher(options)) return 0;
  return data.prompts.size() * size(samples_of(options)) * size(options.chosen_tokens);
}

std::string plan_text(const LearnOptions& options, const LearnData& data,
                      const std::string& arithmetic, int threads) {
  std::ostringstream line;
  line << "plan: " << data.prompts.size() << (makes_pairs(options) ? " prompts, " : " pairs, ")
       << data.retain.size() << " benign prompts to retain, "
       << data.validate.size() + data.validate_retain.size() << " to validate on; at most "
       << material_tokens(options, data) + validation_tokens(options, data)
       << " tokens to generate; " << (options.sft ? options.sft_stage.schedule.total : 0)
       << " SFT and " << (options.dpo ? options.dpo_stage.schedule.total : 0) << " DPO steps in "
       << arithmetic << " on " << threads << " threads";
  if (has_companions(options)) {
    line << "; " << 100 * options.companion_rate << " % of the steps beside a companion";
  }
  return line.str();
}

}  // namespace llmpatch
