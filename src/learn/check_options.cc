#include "learn/check_options.h"

#include "gguf/lora.h"
#include "learn/joint.h"
#include "learn/lora_targets.h"
#include "learn/settings.h"
#include "learn/teacher_endpoint.h"
#include "patch/manifest.h"

namespace llmpatch {
namespace {

constexpr double kMaxLoraAlpha = 65536;

Error invalid(const std::string& message, const std::string& hint = "") {
  return make_error(ErrorKind::kInvalidArgument, "learn", message, hint);
}

bool unlikelihood_counts(const LearnOptions& options) {
  return (options.sft && options.sft_stage.unlikelihood_weight > 0) ||
         (options.dpo && options.dpo_stage.unlikelihood_weight > 0);
}

Status check_lora(const LoraOptions& lora) {
  if (lora.rank < 1 || lora.rank > static_cast<std::int64_t>(kMaxLoraRank)) {
    return invalid("LoRA rank: found " + std::to_string(lora.rank) + ", expected 1 to " +
                   std::to_string(kMaxLoraRank));
  }
  if (!(lora.alpha > 0) || !(lora.alpha <= kMaxLoraAlpha)) {
    return invalid("LoRA alpha: found " + std::to_string(lora.alpha) +
                   ", expected more than 0 and at most 65536");
  }
  return check_lora_targets(lora.targets);
}

// A teacher that a server runs: what it is good for, and its own settings.
Status check_endpoint_use(const LearnOptions& options) {
  if (!options.teacher_model.empty()) {
    return invalid("teacher: found a model file and an endpoint, expected one of them");
  }
  if (!options.pairs.empty() || !options.chosen_text.empty()) {
    return invalid(
        "teacher endpoint: found ready pairs or a fixed chosen text beside it, expected neither: "
        "chosen answers are all it gives");
  }
  if (options.dpo && options.reference == Reference::kTeacher) {
    return invalid(
        "reference teacher: found an endpoint, expected a model here: a server gives no "
        "log-probabilities of answers that it did not write",
        "say --reference base or sft, or leave it out");
  }
  return check_teacher_endpoint(options.teacher_endpoint);
}

}  // namespace

Status check_learn_options(const LearnOptions& options) {
  if (!options.joint.empty()) LLMPATCH_TRY(check_joint_options(options));
  const bool generates = makes_pairs(options);
  if (generates && options.prompts.empty()) {
    return invalid("data: found neither prompts nor pairs", "give --prompts FILE or --pairs FILE");
  }
  if (!options.pairs.empty() && !options.prompts.empty()) {
    return invalid("data: found prompts and pairs, expected one of them");
  }
  const bool teacher = has_teacher(options);
  if (options.teacher_endpoint.given()) LLMPATCH_TRY(check_endpoint_use(options));
  if (generates && !teacher && options.chosen_text.empty() && options.best_of < 2) {
    return invalid(
        "teacher: found none",
        "give --teacher, --teacher-system, --teacher-endpoint, --best-of or --chosen text:…");
  }
  if (options.best_of != 0 && options.best_of < 2) {
    return invalid("best of: found " + std::to_string(options.best_of) + ", expected 2 or more");
  }
  if (options.best_of > 1 && (!generates || !options.chosen_text.empty())) {
    return invalid("best of: found ready pairs or a fixed chosen text beside it, expected neither");
  }
  if (options.dpo && options.reference == Reference::kTeacher && !teacher) {
    return invalid("reference teacher: found no teacher",
                   "give --teacher or --teacher-system, or say --reference base");
  }
  if (options.reference == Reference::kSft && !(options.sft && options.dpo)) {
    return invalid("reference sft: found stages without SFT before DPO, expected sft+dpo");
  }
  if (!options.sft && !options.dpo) return invalid("stages: found none");
  if (options.method == Method::kLora) LLMPATCH_TRY(check_lora(options.lora));
  if (options.length < 1 || options.length > static_cast<std::int64_t>(kMaxRows)) {
    return invalid("length: found " + std::to_string(options.length) + ", expected 1 to " +
                   std::to_string(kMaxRows));
  }
  for (const StageOptions* stage : {&options.sft_stage, &options.dpo_stage}) {
    if (stage->schedule.total < 1 || stage->pairs_per_step < 1 || stage->retained_per_step < 0 ||
        stage->corrections_per_step < 0 || !(stage->first_token_weight >= 0) ||
        !(stage->unlikelihood_weight >= 0) || stage->evaluate_every < 1 ||
        stage->whole_retained_per_step < 0 || !(stage->whole_retain_weight >= 0) ||
        !(stage->schedule.peak > 0) || !(stage->beta > 0) || !(stage->retain_weight >= 0) ||
        !(stage->easy_rate >= 0.01) || !(stage->easy_rate <= 1) || !(stage->averaging >= 0) ||
        !(stage->averaging < 1)) {
      return invalid("stage settings: found a value out of range, expected positive numbers");
    }
  }
  if (options.dpo_tokens < 0) {
    return invalid("dpo tokens: found " + std::to_string(options.dpo_tokens) +
                   ", expected 0 or more");
  }
  if (options.samples < 1 || options.rejected_tokens < 1 || options.chosen_tokens < 1 ||
      options.retain_tokens < 1 || options.whole_texts < 1 || options.whole_tokens < 1 ||
      options.validate_tokens < 1 || options.validate_samples < 0) {
    return invalid("token and sample counts: found one below 1");
  }
  for (const std::string& beginning : options.unwanted) {
    if (beginning.empty()) return invalid("unwanted beginning: found an empty text");
  }
  if (!options.unwanted.empty() && !unlikelihood_counts(options)) {
    return invalid("unwanted beginnings: found no weight that they count with",
                   "give --sft-unlikelihood-weight or --dpo-unlikelihood-weight");
  }
  if (!(options.over_refusal >= 0 && options.over_refusal < 1)) {
    return invalid("over-refusal: found a share out of range, expected 0 to 1");
  }
  const bool retains = !options.retain.empty() || !options.joint.empty();
  if (options.over_refusal > 0 && (!options.sft || !retains)) {
    return invalid("over-refusal: found no SFT or no --retain prompts to measure it on",
                   "leave it out, or give both");
  }
  if (!(options.companion_rate > 0 && options.companion_rate <= 1)) {
    return invalid("companion rate: found a share out of range, expected above 0 and at most 1");
  }
  if (options.validate_prompts < 1 || options.validate_benign < 1) {
    return invalid("validation: found less than one prompt");
  }
  for (const auto& [name, number] : {std::pair{"learning prompts", options.learn_prompts},
                                     {"retain prompts", options.retain_prompts}}) {
    if (number >= 0) continue;
    return invalid(std::string(name) + ": found a negative number, expected 0 (all) or more");
  }
  // What the artifact will be refused for is refused now, not after the learning.
  return check_manifest(options.manifest);
}

}  // namespace llmpatch
