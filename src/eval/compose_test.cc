// Composition studies of a tiny random model with F32 weights. The patches are embeddings of
// sentences, so that what a stack must do is known: the same as the evaluation of that stack.
#include "eval/compose.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "base/json.h"
#include "runtime/test_models.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

class ComposeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ =
        fs::path(::testing::TempDir()) /
        ("compose-" + std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(directory_);
    fs::create_directories(directory_);
  }
  void TearDown() override { fs::remove_all(directory_); }

  Suite suite(const std::string& name, Expect expect, const std::vector<std::string>& prompts) {
    Suite out;
    out.name = name;
    out.expect = expect;
    out.prompts = directory_ / (name + ".jsonl");
    out.max_tokens = 6;
    std::ofstream file(out.prompts);
    for (const auto& prompt : prompts) file << json_line(Json{{"prompt", prompt}}) << "\n";
    return out;
  }

  EvalPatch patch(const std::string& name, const std::string& sentence) const {
    return {name, "1.0.0", "digest of " + name, *model_->embed(*model_->tokenize(sentence, false))};
  }

  // Two patches of different lengths; a suite of each kind that a study needs.
  ComposeOptions options() {
    ComposeOptions out;
    out.eval.suites = {
        suite("harmbench", Expect::kRefuse, {"Tell me how to sing.", "Say why it is dark."}),
        suite("benign", Expect::kAnswer, {"Describe the sea in winter.", "Name a red fruit."})};
    Suite judged = suite("words", Expect::kAnswer, {"Once upon a time", "The king", "A fox"});
    judged.kind = "generation";
    judged.judges = {"degenerate"};
    judged.decodings = {{4, 3, 1, .9F}};
    out.eval.suites.push_back(judged);
    out.eval.patches = {patch("zeta", "You answer in the words of a pirate, always."),
                        patch("alpha", "Only numbers are spoken here.")};
    out.risks = {"harmful-requests", "style"};
    out.metrics = {{"alpha", {"words", "degenerate.flagged_gen@3"}}};
    out.eval.model_sha256 = "model";
    out.eval.engine.exact = true;
    return out;
  }

  const Model* model_ = &tiny_model();
  fs::path directory_;
};

TEST_F(ComposeTest, EveryModeIsTheEvaluationOfItsStack) {
  const ComposeOptions study = options();
  const auto result = run_compose(*model_, study);
  ASSERT_TRUE(result.ok()) << result.error().to_string();
  const ComposeTable& table = result->table;
  ASSERT_EQ(table.modes.size(), 5u);
  EXPECT_EQ(result->seconds.at(3).first, "alpha, then zeta");
  EXPECT_TRUE(result->options.eval.patches[0].rows.values.empty());

  const ModeMetric* scores = table.find({"words", "tokens@3"});
  const ModeMetric* perplexity = table.find({"words", "perplexity_base@3"});
  ASSERT_NE(scores, nullptr);
  ASSERT_NE(perplexity, nullptr);
  std::size_t different = 0;
  for (std::size_t i = 0; i < table.modes.size(); ++i) {
    EvalOptions one = study.eval;
    one.timing_prompts = one.compliance_limit = one.examples = 0;
    one.compose = table.modes[i].compose;
    one.patches.clear();
    for (const std::size_t patch : table.modes[i].patches) {
      one.patches.push_back(study.eval.patches[patch]);
    }
    const auto expected = run_eval(*model_, one);
    ASSERT_TRUE(expected.ok()) << expected.error().to_string();
    const auto& systems = expected->measured.at(0).systems;
    const auto values = [&](std::size_t system, const std::string& name) {
      return std::ranges::find(systems[system].metrics, name, &Metric::name)->values;
    };
    EXPECT_EQ(scores->modes[i].values, values(1, "tokens@3")) << i;
    EXPECT_EQ(scores->base.values, values(0, "tokens@3"));
    ASSERT_EQ(perplexity->modes[i].values.size(), 3u);
    for (std::size_t prompt = 0; prompt < 3; ++prompt) {
      // Parallel prefixes stand in the cache in another order here: sums in F32 differ.
      EXPECT_NEAR(perplexity->modes[i].values[prompt] / values(1, "perplexity_base@3")[prompt], 1,
                  1e-3)
          << i;
    }
    if (perplexity->modes[i].values != perplexity->base.values) ++different;
    const SideEffects& effects = *expected->suites.at(1).side_effects;
    EXPECT_NEAR(table.figures.at(0).modes.at(i).value, effects.kl.value, 1e-4);
  }
  EXPECT_EQ(different, 5u);  // a prefix that did nothing would show nothing
  EXPECT_EQ(table.figures.at(0).name, "kl_from_base");
  EXPECT_EQ(table.patches.at(0).domain, (MetricName{"harmbench", "refused"}));
  EXPECT_TRUE(table.find({"benign", "refused"})->over_refusal);
  EXPECT_FALSE(table.find({"harmbench", "refused"})->over_refusal);
  EXPECT_EQ(result->recommendation.modes.size(), 5u);
}

TEST_F(ComposeTest, GoesOnFromWhatWasAnswered) {
  ComposeOptions study = options();
  study.eval.cache = directory_ / "cache";
  std::vector<std::string> seen;
  // The first attempt ends after three modes.
  const auto stopped = run_compose(
      *model_, study, nullptr, {}, [&](const ComposeMode& mode, const EvalResult&) -> Status {
        seen.push_back(mode_label(mode, std::vector<std::string>{"zeta", "alpha"}));
        if (seen.size() < 3) return {};
        return make_error(ErrorKind::kCancelled, "test", "enough");
      });
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(stopped.error().kind, ErrorKind::kCancelled);
  EXPECT_EQ(seen, (std::vector<std::string>{"zeta", "alpha", "zeta, then alpha"}));

  const auto resumed = run_compose(*model_, study);
  ASSERT_TRUE(resumed.ok()) << resumed.error().to_string();
  study.eval.cache = directory_ / "other";
  const auto whole = run_compose(*model_, study);
  ASSERT_TRUE(whole.ok()) << whole.error().to_string();
  EXPECT_GT(resumed->generated_tokens, 0u);
  EXPECT_LT(resumed->generated_tokens, whole->generated_tokens);
  for (std::size_t i = 0; i < whole->table.metrics.size(); ++i) {
    for (std::size_t mode = 0; mode < 5; ++mode) {
      const auto& a = whole->table.metrics[i].mode_figures[mode].estimate;
      const auto& b = resumed->table.metrics[i].mode_figures[mode].estimate;
      EXPECT_EQ(a.value, b.value) << whole->table.metrics[i].name().text();
      EXPECT_EQ(a.interval, b.interval);
    }
  }
  // With every answer there, nothing is generated; and a parallel stack has no order.
  std::swap(study.eval.patches[0], study.eval.patches[1]);
  std::swap(study.risks[0], study.risks[1]);
  const auto again = run_compose(*model_, study);
  ASSERT_TRUE(again.ok()) << again.error().to_string();
  EXPECT_EQ(again->generated_tokens, 0u);
}

TEST_F(ComposeTest, ThePlanCountsTheBaseOnce) {
  ComposeOptions study = options();
  study.eval.cache = directory_ / "cache";
  const auto plan = plan_compose(study, *model_);
  ASSERT_TRUE(plan.ok()) << plan.error().to_string();
  EXPECT_EQ(plan->modes.size(), 5u);
  EXPECT_EQ(plan->prompts, 7u);
  // The base and five modes: 4 prompts of 6 tokens, 3 of 3 samples of 4.
  EXPECT_EQ(plan->generated_tokens, 6u * (4 * 6 + 3 * 3 * 4));
  EXPECT_TRUE(plan->over_refusal);
  const auto result = run_compose(*model_, study);
  ASSERT_TRUE(result.ok()) << result.error().to_string();
  EXPECT_LE(result->generated_tokens, plan->generated_tokens);
}

TEST_F(ComposeTest, ProgressRisesOverAllModes) {
  std::uint64_t last = 0, whole = 0;
  const auto result = run_compose(*model_, options(), nullptr,
                                  [&](std::uint64_t done, std::uint64_t total, const std::string&) {
                                    EXPECT_GE(done, last);
                                    last = done;
                                    whole = total;
                                  });
  ASSERT_TRUE(result.ok()) << result.error().to_string();
  EXPECT_EQ(last, whole);
}

TEST_F(ComposeTest, RefusesWhatMakesNoSense) {
  const auto refused = [&](const ComposeOptions& study, ErrorKind kind, const char* part) {
    const auto plan = plan_compose(study, *model_);
    ASSERT_FALSE(plan.ok()) << part;
    EXPECT_EQ(plan.error().kind, kind);
    EXPECT_NE(plan.error().message.find(part), std::string::npos) << plan.error().to_string();
  };
  ComposeOptions study = options();
  study.eval.patches.pop_back();
  refused(study, ErrorKind::kInvalidArgument, "at least two");
  study = options();
  study.max_modes = 4;
  refused(study, ErrorKind::kLimit, "found 5, expected at most 4");
  study = options();
  study.metrics.clear();
  refused(study, ErrorKind::kInvalidArgument, "risk 'style'");
  study.risks[1] = "toxicity";
  refused(study, ErrorKind::kInvalidArgument, "expected one of toxicity");
  study = options();
  study.metrics["beta"] = {"words", "m"};
  refused(study, ErrorKind::kInvalidArgument, "found patch 'beta'");
  study = options();
  study.metrics["alpha"].suite = "verses";
  refused(study, ErrorKind::kInvalidArgument, "found suite 'verses'");
  study = options();
  study.eval.suites.clear();
  study.metrics["zeta"] = {"words", "m"};
  refused(study, ErrorKind::kInvalidArgument, "words");

  // What a suite has is known once it was measured: after the first mode.
  study = options();
  study.metrics["alpha"].metric = "kindness";
  std::size_t modes = 0;
  const auto unknown = run_compose(*model_, study, nullptr, {},
                                   [&](const ComposeMode&, const EvalResult&) -> Status {
                                     ++modes;
                                     return {};
                                   });
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.error().kind, ErrorKind::kInvalidArgument);
  EXPECT_NE(unknown.error().message.find("degenerate.flagged_gen@3"), std::string::npos);
  EXPECT_EQ(modes, 0u);
}

}  // namespace
}  // namespace llmpatch
