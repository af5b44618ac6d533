// Judged suites on a tiny random model with F32 weights: what is measured is computed again by hand
// from the engine and the judge.
#include "eval/generation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "eval/diff.h"
#include "judge/degenerate.h"
#include "runtime/test_models.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

class GenerationTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = fs::path(::testing::TempDir()) /
                 ("generation-" +
                  std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(directory_);
    fs::create_directories(directory_);
  }
  void TearDown() override { fs::remove_all(directory_); }

  Suite suite(const char* kind, std::vector<Decoding> decodings) const {
    Suite out;
    out.name = "tiny";
    out.kind = kind;
    out.prompts = directory_ / "prompts.jsonl";
    out.format = PromptFormat::kRaw;
    out.decodings = std::move(decodings);
    out.judges = {"degenerate"};
    std::ofstream(out.prompts) << "{\"prompt\": \"The sea in winter\"}\n"
                               << "{\"prompt\": \"A red fruit\"}\n";
    return out;
  }

  EvalOptions options(Suite suite) const {
    EvalOptions out;
    out.suites = {std::move(suite)};
    out.patches.push_back(
        {"p", "1.0.0", "digest", *model_->embed(*model_->tokenize("Ahoy there, sailor", false))});
    out.model_sha256 = "model";
    out.engine.exact = true;
    out.seed = 5;
    return out;
  }

  const Metric& metric(const EvalResult& result, const System& system,
                       const std::string& name) const {
    for (const Metric& metric : result.measured.at(0).find(system)->metrics) {
      if (metric.name == name) return metric;
    }
    ADD_FAILURE() << "no metric " << name;
    static const Metric none;
    return none;
  }

  const Model* model_ = &tiny_model();
  fs::path directory_;
};

TEST_F(GenerationTest, MetricsAreThoseOfTheSamples) {
  const auto result = run_eval(*model_, options(suite("generation", {{6, 3, 1, .9F}})));
  ASSERT_TRUE(result.ok()) << result.error().to_string();

  EngineOptions exact;
  exact.exact = true;
  const auto engine = Engine::create(*model_, exact);
  ASSERT_TRUE(engine.ok());
  const auto prompts =
      read_suite_prompts(result->measured[0].suite, std::nullopt, PromptFormat::kRaw);
  ASSERT_TRUE(prompts.ok());
  const auto degenerate = make_degenerate_judge();
  for (std::size_t i = 0; i < 2; ++i) {
    double flagged = 0, log_perplexity = 0, scored = 0;
    for (std::uint32_t sample = 0; sample < 3; ++sample) {
      GenerateRequest request;
      request.prompt = *encode_prompt(*model_, (*prompts)[i].prompt, PromptFormat::kRaw);
      request.max_tokens = 6;
      request.sampling = {1, .9F, 0, 5, sample};
      request.random_key = (*prompts)[i].prompt.digest();
      const auto completions = (*engine)->generate(std::span(&request, 1));
      ASSERT_TRUE(completions.ok());
      const JudgeItem item{"", (*completions)[0].text, {}};
      flagged += (*degenerate->score(std::span(&item, 1)))[0];
      if ((*completions)[0].tokens.empty()) continue;
      const ScoreRequest score{request.prompt, (*completions)[0].tokens, {}};
      const auto log_probs = (*engine)->score(std::span(&score, 1));
      ASSERT_TRUE(log_probs.ok());
      double sum = 0;
      for (const float value : (*log_probs)[0]) sum += value;
      log_perplexity -= sum / static_cast<double>((*log_probs)[0].size());
      scored += 1;
    }
    EXPECT_NEAR(metric(*result, System::kBase, "degenerate.flagged_gen@3").values[i], flagged / 3,
                1e-12);
    EXPECT_EQ(metric(*result, System::kBase, "degenerate.flagged_prompt@3").values[i],
              flagged > 0 ? 1 : 0);
    const double perplexity = metric(*result, System::kBase, "perplexity_base@3").values[i];
    EXPECT_NEAR(std::log(perplexity), log_perplexity / scored, 1e-4);
  }
}

TEST_F(GenerationTest, GoesOnFromFinishedAnswers) {
  EvalOptions eval = options(suite("generation", {{6, 1, 0, 1}, {6, 3, 1, .9F}}));
  eval.cache = directory_ / "cache";
  const auto first = run_eval(*model_, eval);
  ASSERT_TRUE(first.ok()) << first.error().to_string();
  const auto second = run_eval(*model_, eval);
  ASSERT_TRUE(second.ok()) << second.error().to_string();
  EXPECT_GT(first->generated_tokens, 0u);
  EXPECT_EQ(second->generated_tokens, 0u);
  for (const System& system : {System::kBase, System::kPatched}) {
    EXPECT_EQ(first->measured[0].find(system)->metrics.size(),
              second->measured[0].find(system)->metrics.size());
    EXPECT_EQ(metric(*first, system, "tokens@3").values,
              metric(*second, system, "tokens@3").values);
  }
  // Another seed draws other samples and keeps the greedy answers.
  eval.seed = 6;
  const auto other = run_eval(*model_, eval);
  ASSERT_TRUE(other.ok());
  EXPECT_GT(other->generated_tokens, 0u);
  EXPECT_LT(other->generated_tokens, first->generated_tokens);
}

TEST_F(GenerationTest, ProgressEndsAtItsTotalForEveryKind) {
  Suite longer = suite("long-prompt", {{4, 1, 0, 1}});
  longer.filler = directory_ / "filler.txt";
  longer.filler_tokens = {0, 3};
  std::ofstream(longer.filler) << "It was a fine day and nothing happened at all.";
  Suite text;
  text.name = "text";
  text.kind = "perplexity";
  text.prompts = longer.filler;
  text.window = 4;
  Suite drift = suite("drift", {});
  drift.name = "drift";
  drift.max_tokens = 4;
  Suite choice;
  choice.name = "choice";
  choice.kind = "multiple-choice";
  choice.prompts = directory_ / "items.jsonl";
  choice.shots = {0};
  std::ofstream(choice.prompts) << R"({"question": "One?", "choices": ["a", "b"], "answer": 0})"
                                << "\n";
  EvalOptions eval = options(suite("generation", {{4, 2, 1, 1}}));
  longer.name = "longer";
  eval.suites.insert(eval.suites.end(), {longer, text, drift, choice});
  eval.engine.context = 512;
  eval.system = "Be brief.";
  eval.compliance_limit = eval.timing_prompts = eval.examples = 0;
  std::uint64_t last = 0, whole = 0;
  const auto result = run_eval(*model_, eval, nullptr,
                               [&](std::uint64_t done, std::uint64_t total, const std::string&) {
                                 EXPECT_GE(done, last);
                                 EXPECT_LE(done, total);
                                 last = done;
                                 whole = total;
                               });
  ASSERT_TRUE(result.ok()) << result.error().to_string();
  EXPECT_EQ(last, whole);
  EXPECT_EQ(result->measured.size(), 5u);
}

TEST_F(GenerationTest, UnknownJudgesAreRefusedBeforeAnything) {
  EvalOptions eval = options(suite("generation", {{4, 1, 0, 1}}));
  eval.suites[0].judges = {"kindness"};
  const auto result = run_eval(*model_, eval);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().kind, ErrorKind::kNotFound);
  EXPECT_NE(result.error().message.find("kindness"), std::string::npos);
}

TEST_F(GenerationTest, DiffIsEmptyForTheSameStackAndFindsThePartingToken) {
  const auto prompts =
      read_suite_prompts(suite("generation", {}), std::nullopt, PromptFormat::kRaw);
  ASSERT_TRUE(prompts.ok());
  EngineOptions exact;
  exact.exact = true;
  const auto engine = Engine::create(*model_, exact);
  ASSERT_TRUE(engine.ok());
  const auto prefix = (*engine)->add_prefix(options({}).patches[0].rows);
  ASSERT_TRUE(prefix.ok());
  const Stack patched{{*prefix}, Compose::kSequential};
  const auto judge = make_degenerate_judge();
  const Judge* const judges[] = {judge.get()};
  DiffOptions diff_options;
  diff_options.max_tokens = 8;

  const auto same = diff_behaviour(**engine, *prompts, patched, patched, judges, diff_options);
  ASSERT_TRUE(same.ok()) << same.error().to_string();
  EXPECT_EQ(same->changed, 0u);
  EXPECT_EQ(same->counts.at(0).unchanged, 2u);

  const auto diff = diff_behaviour(**engine, *prompts, Stack{}, patched, judges, diff_options);
  ASSERT_TRUE(diff.ok()) << diff.error().to_string();
  EXPECT_GT(diff->changed, 0u);
  const DiffCount& count = diff->counts.at(0);
  EXPECT_EQ(count.fixed + count.broken + count.unchanged, 2u);
  for (const DiffEntry& entry : diff->entries) {
    if (!entry.changed) continue;
    EXPECT_GT(entry.kl, 0);
    EXPECT_NE(entry.token_before, entry.token_after);
  }
}

}  // namespace
}  // namespace llmpatch
