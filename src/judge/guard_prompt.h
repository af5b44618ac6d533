// What guard models are asked: the families that llmpatch knows, and their prompts. Internal to
// judge/.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "judge/judge.h"
#include "runtime/chat_template.h"

namespace llmpatch {

// A family of guard models. Each asks whether the last answer of a conversation is unsafe, and says
// so with the first token of its answer.
struct GuardFamily {
  std::string_view name;
  std::string_view unsafe, safe;  // the words of the verdict
  std::string_view opening;       // what the model always writes before it
  std::string_view policy;        // the rule it judges by, when none is given; empty: takes none
  // What its own chat template, given a conversation, writes and no other template does.
  std::string_view mark;
};

// Null for an unknown name.
const GuardFamily* find_guard_family(std::string_view name);
std::vector<std::string_view> guard_family_names();

// What one guard is asked.
struct GuardQuestion {
  const GuardFamily* family = nullptr;  // null: another model, asked `task` in its own chat format
  std::string policy;                   // instead of the family's own; empty: that
  std::string task;                     // with {prompt} and {response} where these belong
  bool built_in = false;                // as the family's makers publish it, not by chat template
};

// The prompt of an item: all of it but BOS, up to the verdict. By the model's own chat template,
// which is given the conversation and, where the family's template knows it, the policy; or as the
// makers publish it, for a model file that has lost its template.
//
// kUnsupported: no template where one is needed; kMismatch: a template that does not ask what the
// family's own asks; and the errors of ChatTemplate::render().
Result<std::vector<TextSpan>> guard_prompt(const GuardQuestion& question, const ChatTemplate* chat,
                                           const JudgeItem& item);

}  // namespace llmpatch
