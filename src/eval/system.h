// The systems an evaluation measures side by side on the same prompts.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "patch/rows.h"
#include "runtime/adapters.h"
#include "runtime/engine.h"

namespace llmpatch {

// A system by its label, which keys its results in reports and eval.json.
class System {
 public:
  explicit System(std::string label) : label_(std::move(label)) {}
  const std::string& label() const { return label_; }
  bool operator==(const System&) const = default;

  // M, M under a safety system prompt, M+P, and a safer reference model M'. What they are stands in
  // EvalOptions; every other system is a SystemSpec.
  static const System kBase, kSystemPrompt, kPatched, kTeacher;
  bool is_further() const;  // none of these four

 private:
  std::string label_;
};

std::string_view system_name(const System& system);  // its label: "base", "system-prompt", ...

// Whether reports compare these two: the four with each other, further ones with base and patch.
bool are_compared(const System& a, const System& b);

// A patch under evaluation. The caller has verified it and checked that it belongs to the model.
struct EvalPatch {
  std::string name;
  std::string version;
  std::string digest;  // sha256 of adapter_model.safetensors; named in the card
  Rows rows;
};

// A further system: a model with whatever changes how it answers. All members but the label may be
// empty, not all at once.
struct SystemSpec {
  std::string label;
  std::filesystem::path model;     // a GGUF file; empty: the model under evaluation
  std::string prompt;              // system message before every conversation
  std::vector<EvalPatch> patches;  // the stack, in order
  Compose compose = Compose::kSequential;
  Adapters adapters;
};

// What the card says of a system: {"label", "model": {"file", "sha256"}} and, where it has them,
// "system_prompt", "patches", "compose" and what describe() says of its adapters. `digest` is of
// the model file that it runs.
OrderedJson system_record(const SystemSpec& system, const std::string& digest,
                          const Json& adapters);
OrderedJson patches_json(const std::vector<EvalPatch>& patches);
std::string_view compose_name(Compose compose);  // "sequential" or "parallel"

inline constexpr std::size_t kMaxLabel = 64;  // characters

// Labels of `systems` must be 1 to kMaxLabel printable characters, without a blank at either end,
// differ from each other, and be neither one of the four nor a member of responses.jsonl's lines;
// and each system must have something that tells it from the base. kInvalidArgument.
Status check_systems(const std::vector<SystemSpec>& systems);

}  // namespace llmpatch
