#include "learn/plan.h"

#include <gtest/gtest.h>

namespace llmpatch {
namespace {

// So small that its tokens are counted by hand.
LearnOptions small_options() {
  LearnOptions options;
  options.sft = true;
  options.dpo = false;
  options.sft_stage.schedule.total = 10;
  options.sft_stage.evaluate_every = 5;
  options.validate_tokens = 6;
  options.retain_tokens = 5;
  return options;
}

PromptList list_of(std::size_t count) {
  return {std::vector<Prompt>(count), std::vector<PromptFormat>(count, PromptFormat::kRaw)};
}

TEST(PlanText, CountsWhatASingleRunGenerates) {
  LearnOptions options = small_options();
  options.prompts = {"p"};
  options.chosen_text = "No.";
  options.samples = 2;
  options.rejected_tokens = 7;
  LearnData data;
  data.prompts.resize(10);
  data.retain.resize(4);
  data.validate.resize(3);
  data.validate_retain.resize(2);
  // 10 x 2 x 7 answers, 6 x 5 retained, and 3 validations of 5 x 6.
  EXPECT_EQ(plan_text(options, data, "f32", 2),
            "plan: 10 prompts, 4 benign prompts to retain, 5 to validate on; at most 260 tokens to "
            "generate; 10 SFT and 0 DPO steps in f32 on 2 threads");
}

TEST(PlanText, CountsTheAnswersOfEveryRisk) {
  LearnOptions options = small_options();
  options.joint = {"a", "b"};
  LearnData data;
  data.prompts.resize(8);
  data.retain.resize(4);
  data.validate.resize(3);
  data.validate_retain.resize(2);
  data.runs.resize(2);
  data.runs[0].validate = list_of(1);
  data.runs[0].validate_tokens = 20;
  data.runs[0].validate_samples = 4;
  data.runs[1].validate = list_of(2);
  data.runs[1].validate_tokens = 6;
  // Nothing is retained anew; the base model and 3 validations of 1 x 4 x 20 + 2 x 6, and 3 of 2 x
  // 6 benign ones.
  EXPECT_NE(plan_text(options, data, "f32", 1).find("8 pairs, 4 benign"), std::string::npos);
  EXPECT_NE(plan_text(options, data, "f32", 1).find("at most 404 tokens"), std::string::npos);
}

}  // namespace
}  // namespace llmpatch
