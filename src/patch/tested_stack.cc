#include "patch/tested_stack.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <set>

#include "base/quote.h"
#include "patch/names.h"

namespace llmpatch {
namespace {

constexpr std::size_t kMaxPatches = 16;
constexpr std::size_t kMaxText = 128;  // of a suite's or metric's name
constexpr const char* kParallel = "parallel";

Error bad(const std::string& member, const std::string& found, const std::string& expected) {
  return make_error(ErrorKind::kInvalidArgument, "manifest",
                    "compose.tested: " + member + ": found " + found + ", expected " + expected);
}

bool is_short_text(const std::string& text) {
  return !text.empty() && text.size() <= kMaxText &&
         std::ranges::all_of(text, [](char c) { return c >= 0x20 && c < 0x7f; });
}

bool is_share(double value) { return value >= 0 && value <= 1; }

Status check_known(const Json& object, const std::set<std::string>& known, std::string_view where) {
  for (const auto& [key, value] : object.items()) {
    if (known.contains(key)) continue;
    return make_error(
        ErrorKind::kCorrupt, "manifest",
        std::string(where) + ": found unknown member " + quote(key) + " of compose.tested");
  }
  return {};
}

std::string percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.0f", 100 * share);
  return text;
}

}  // namespace

bool TestedStack::same_measurement(const TestedStack& other) const {
  return patches == other.patches && compose == other.compose && suite == other.suite &&
         metric == other.metric;
}

Status check_tested_stack(const TestedStack& stack) {
  if (stack.patches.size() < 2 || stack.patches.size() > kMaxPatches) {
    return bad("patches", std::to_string(stack.patches.size()), "2 to 16");
  }
  std::set<std::string_view> seen;
  for (const std::string& patch : stack.patches) {
    if (!is_patch_reference(patch)) return bad("patches", quote(patch), "name@version");
    if (!seen.insert(patch).second) return bad("patches", quote(patch) + " twice", "it once");
  }
  if (stack.compose != "sequential" && stack.compose != kParallel) {
    return bad("compose", quote(stack.compose), "sequential or parallel");
  }
  for (const auto& [member, text] : {std::pair("suite", &stack.suite), {"metric", &stack.metric}}) {
    if (!is_short_text(*text)) return bad(member, quote(*text), "1 to 128 printable characters");
  }
  for (const double value : {stack.kept, stack.low, stack.high}) {
    if (!std::isfinite(value)) return bad("kept", "a value that is not finite", "numbers");
  }
  if (stack.prompts < 1) return bad("kept.n", std::to_string(stack.prompts), "1 or more");
  if (stack.over_refusal && !is_share(*stack.over_refusal)) {
    return bad("over_refusal", std::to_string(*stack.over_refusal), "0 to 1");
  }
  return {};
}

OrderedJson tested_stack_to_json(const TestedStack& stack) {
  OrderedJson json{
      {"patches", stack.patches},
      {"compose", stack.compose},
      {"suite", stack.suite},
      {"metric", stack.metric},
      {"kept",
       {{"value", stack.kept}, {"low", stack.low}, {"high", stack.high}, {"n", stack.prompts}}}};
  if (stack.over_refusal) json["over_refusal"] = *stack.over_refusal;
  return json;
}

Result<TestedStack> tested_stack_from_json(const Json& json, std::string_view where) {
  LLMPATCH_TRY(
      check_known(json, {"patches", "compose", "suite", "metric", "kept", "over_refusal"}, where));
  TestedStack stack;
  LLMPATCH_ASSIGN(const Json patches, json_array(json, "patches", where));
  for (const Json& patch : patches) {
    if (!patch.is_string()) {
      return make_error(ErrorKind::kCorrupt, "manifest",
                        std::string(where) + ": compose.tested: patches: found " +
                            patch.type_name() + ", expected strings");
    }
    stack.patches.push_back(patch.get<std::string>());
  }
  LLMPATCH_ASSIGN(stack.compose, json_string(json, "compose", where));
  LLMPATCH_ASSIGN(stack.suite, json_string(json, "suite", where));
  LLMPATCH_ASSIGN(stack.metric, json_string(json, "metric", where));
  LLMPATCH_ASSIGN(const Json kept, json_object(json, "kept", where));
  LLMPATCH_TRY(check_known(kept, {"value", "low", "high", "n"}, where));
  LLMPATCH_ASSIGN(stack.kept, json_number(kept, "value", where));
  LLMPATCH_ASSIGN(stack.low, json_number(kept, "low", where));
  LLMPATCH_ASSIGN(stack.high, json_number(kept, "high", where));
  LLMPATCH_ASSIGN(stack.prompts, json_integer(kept, "n", where));
  if (json.contains("over_refusal")) {
    LLMPATCH_ASSIGN(stack.over_refusal, json_number(json, "over_refusal", where));
  }
  return stack;
}

std::string tested_stack_text(const TestedStack& stack) {
  std::string text;
  for (const std::string& patch : stack.patches) {
    if (!text.empty()) text += stack.compose == kParallel ? " beside " : ", then ";
    text += patch;
  }
  text += ": keeps " + percent(stack.kept) + " % [" + percent(stack.low) + ", " +
          percent(stack.high) + "] of " + stack.suite + " " + stack.metric;
  if (stack.over_refusal) text += ", over-refusal " + percent(*stack.over_refusal) + " %";
  return text;
}

}  // namespace llmpatch
