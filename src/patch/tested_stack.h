// What a patch's manifest says of a stack that it was measured in: an entry of `compose.tested`
// with figures (docs/format.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace llmpatch {

struct TestedStack {
  std::vector<std::string> patches;  // "name@version", in the stack's order; this patch is one
  std::string compose;               // "sequential" or "parallel"
  std::string suite, metric;         // what measures this patch's own domain, as eval.json names it
  // The share that the stack keeps of what the patch alone improves there, with its 95 % interval.
  double kept = 0, low = 0, high = 0;
  std::int64_t prompts = 0;  // that it was measured on
  // Share of benign prompts that the stack refuses, the largest of the suites measured.
  std::optional<double> over_refusal;

  bool operator==(const TestedStack&) const = default;
  // Whether both measured the same: what a new measurement replaces.
  bool same_measurement(const TestedStack& other) const;
};

// Why `stack` cannot be written, or success. kInvalidArgument.
Status check_tested_stack(const TestedStack& stack);

OrderedJson tested_stack_to_json(const TestedStack& stack);
// kCorrupt: a member missing, unknown, of another type or against its form. `where` names the file.
Result<TestedStack> tested_stack_from_json(const Json& json, std::string_view where);

// One line for people: "refuse@1.0.0, then tone@1.0.0: keeps 78 % [70, 85] of harmbench refused".
std::string tested_stack_text(const TestedStack& stack);

}  // namespace llmpatch
