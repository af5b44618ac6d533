#include "patch/tested_stack.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "patch/test_patch.h"

namespace llmpatch {
namespace {

TestedStack small_stack() {
  return {
      {"refuse@1.2.3", "tone@0.1.0"}, "parallel", "harmbench", "refused", .82, .7, .95, 200, .05};
}

Result<TestedStack> changed(const std::function<void(Json&)>& change) {
  Json json = Json(tested_stack_to_json(small_stack()));
  change(json);
  return tested_stack_from_json(json, "manifest.json");
}

TEST(TestedStack, ComesBackFromItsJson) {
  const auto again = changed([](Json&) {});
  ASSERT_TRUE(again.ok()) << again.error().to_string();
  EXPECT_EQ(*again, small_stack());
  TestedStack stack = small_stack();
  stack.over_refusal.reset();
  EXPECT_FALSE(tested_stack_to_json(stack).contains("over_refusal"));
}

TEST(TestedStack, RefusesMissingUnknownAndOtherMembers) {
  for (const char* member : {"patches", "compose", "suite", "metric", "kept"}) {
    expect_error(changed([&](Json& json) { json.erase(member); }), ErrorKind::kCorrupt, member);
  }
  expect_error(changed([](Json& json) { json["order"] = 1; }), ErrorKind::kCorrupt, "order");
  expect_error(changed([](Json& json) { json["kept"]["p"] = 1; }), ErrorKind::kCorrupt, "p");
  expect_error(changed([](Json& json) { json["kept"]["low"] = "x"; }), ErrorKind::kCorrupt, "low");
  expect_error(changed([](Json& json) {
                 json["patches"] = {1, 2};
               }),
               ErrorKind::kCorrupt, "patches");
  expect_error(changed([](Json& json) { json["over_refusal"] = nullptr; }), ErrorKind::kCorrupt,
               "over_refusal");
}

TEST(TestedStack, ChecksWhatItSays) {
  ASSERT_TRUE(check_tested_stack(small_stack()).ok());
  const auto refused = [](const std::function<void(TestedStack&)>& change, const char* part) {
    TestedStack stack = small_stack();
    change(stack);
    expect_error(check_tested_stack(stack), ErrorKind::kInvalidArgument, part);
  };
  refused([](TestedStack& s) { s.patches.pop_back(); }, "patches");
  refused([](TestedStack& s) { s.patches[1] = "tone"; }, "name@version");
  refused([](TestedStack& s) { s.patches[1] = s.patches[0]; }, "twice");
  refused([](TestedStack& s) { s.patches.resize(17, "a@1.0.0"); }, "2 to 16");
  refused([](TestedStack& s) { s.compose = "joint"; }, "sequential or parallel");
  refused([](TestedStack& s) { s.suite = "\x1b[2J"; }, "suite");
  refused([](TestedStack& s) { s.metric = std::string(129, 'm'); }, "metric");
  refused([](TestedStack& s) { s.high = std::numeric_limits<double>::infinity(); }, "kept");
  refused([](TestedStack& s) { s.prompts = 0; }, "kept.n");
  refused([](TestedStack& s) { s.over_refusal = 1.5; }, "over_refusal");
}

TEST(TestedStack, TextNamesStackShareAndMetric) {
  EXPECT_EQ(tested_stack_text(small_stack()),
            "refuse@1.2.3 beside tone@0.1.0: keeps 82 % [70, 95] of harmbench refused, "
            "over-refusal 5 %");
  TestedStack stack = small_stack();
  stack.compose = "sequential";
  stack.over_refusal.reset();
  EXPECT_EQ(tested_stack_text(stack),
            "refuse@1.2.3, then tone@0.1.0: keeps 82 % [70, 95] of harmbench refused");
}

}  // namespace
}  // namespace llmpatch
