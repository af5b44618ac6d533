// Evaluations of a tiny random model with F32 weights, where only the order of sums differs between
// ways to compute the same figure (quantised arithmetic depends on the shape of the batch). The
// "patch" is the embedding of a sentence, so that what it must do is known: the same as the
// sentence.
#include "eval/evaluate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <numeric>

#include "base/json.h"
#include "eval/compliance.h"
#include "eval/divergence.h"
#include "runtime/test_models.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSentence = "You answer in the words of a pirate and never in any other way.";

class EvaluateTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = fs::path(::testing::TempDir()) /
                 ("evaluate-" +
                  std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(directory_);
    fs::create_directories(directory_);
  }
  void TearDown() override { fs::remove_all(directory_); }

  Suite suite(const std::string& name, Expect expect, const std::vector<std::string>& prompts) {
    Suite out;
    out.name = name;
    out.expect = expect;
    out.prompts = directory_ / (name + ".jsonl");
    out.max_tokens = 8;
    std::ofstream file(out.prompts);
    for (const auto& prompt : prompts) {
      file << json_line(Json{{"prompt", prompt}, {"category", "test"}}) << "\n";
    }
    return out;
  }

  // F32, one suite of benign prompts, the sentence as the patch, nothing else measured.
  EvalOptions options() {
    EvalOptions out;
    out.suites.push_back(suite("benign", Expect::kAnswer,
                               {"Describe the sea in winter.", "Name a fruit that is red."}));
    out.patches.push_back({"pirate", "1.0.0", "digest", *model_->embed(sentence())});
    out.model_sha256 = "model";
    out.engine.exact = true;
    out.compliance_limit = out.timing_prompts = out.examples = 0;
    return out;
  }

  Tokens sentence() const { return *model_->tokenize(kSentence, false); }

  // A prompt's tokens behind `before`.
  Tokens encoded(const SuitePrompt& prompt, Tokens before = {}) const {
    const Tokens tokens = *encode_prompt(*model_, prompt.prompt, PromptFormat::kRaw);
    before.insert(before.end(), tokens.begin(), tokens.end());
    return before;
  }

  const Model* model_ = &tiny_model();
  fs::path directory_;
};

double mean(const std::vector<float>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

TEST_F(EvaluateTest, SideEffectsAreThoseOfTheSentenceItself) {
  const auto result = run_eval(*model_, options());
  ASSERT_TRUE(result.ok()) << result.error().to_string();
  const SuiteResult& suite = result->suites.at(0);
  ASSERT_TRUE(suite.side_effects.has_value());
  const auto& base = suite.find(System::kBase)->answers;
  const auto& patched = suite.find(System::kPatched)->answers;

  // By hand: the sentence's tokens in front of the prompt, without any prefix.
  EngineOptions exact;
  exact.exact = true;
  const auto engine = Engine::create(*model_, exact);
  ASSERT_TRUE(engine.ok());
  std::vector<double> kl, perplexity;
  for (std::size_t i = 0; i < 2; ++i) {
    ASSERT_EQ(base[i].tokens.size(), 8u);
    ASSERT_FALSE(base[i].ended);
    const std::vector<ScoreRequest> requests{
        {encoded(suite.prompts[i]), base[i].tokens, {}},
        {encoded(suite.prompts[i], sentence()), base[i].tokens, {}}};
    std::vector<std::vector<std::vector<float>>> logits(2);
    ASSERT_TRUE((*engine)
                    ->logits(requests,
                             [&](std::size_t request, std::size_t, std::span<const float> values) {
                               logits[request].emplace_back(values.begin(), values.end());
                             })
                    .ok());
    double sum = 0;
    for (std::size_t t = 0; t < 8; ++t) sum += kl_divergence(logits[0][t], logits[1][t]);
    kl.push_back(sum / 8);

    const std::vector<ScoreRequest> answer{{encoded(suite.prompts[i]), patched[i].tokens, {}}};
    const auto scores = (*engine)->score(answer);
    ASSERT_TRUE(scores.ok());
    perplexity.push_back(std::exp(-mean((*scores)[0])));
  }
  const SideEffects& effects = *suite.side_effects;
  EXPECT_GT(effects.kl.value, .01);
  EXPECT_NEAR(effects.kl.value, (kl[0] + kl[1]) / 2, 1e-5);
  EXPECT_NEAR(effects.kl_first.value, effects.kl.value, 1e-12);  // the answers have 8 tokens
  EXPECT_EQ(effects.kl.n, 2u);
  EXPECT_NEAR(effects.perplexity_patched.value, std::sqrt(perplexity[0] * perplexity[1]),
              1e-5 * effects.perplexity_patched.value);
  EXPECT_EQ(effects.empty_answers, 0u);
}

TEST_F(EvaluateTest, ThePatchedAnswerIsTheSentencesAnswer) {
  const auto result = run_eval(*model_, options());
  ASSERT_TRUE(result.ok()) << result.error().to_string();
  const SuiteResult& suite = result->suites.at(0);
  EngineOptions exact;
  exact.exact = true;
  const auto engine = Engine::create(*model_, exact);
  ASSERT_TRUE(engine.ok());
  for (std::size_t i = 0; i < 2; ++i) {
    GenerateRequest request;
    request.prompt = encoded(suite.prompts[i], sentence());
    request.max_tokens = 8;
    const auto completions = (*engine)->generate(std::span(&request, 1));
    ASSERT_TRUE(completions.ok());
    EXPECT_EQ(suite.find(System::kPatched)->answers[i].tokens, (*completions)[0].tokens);
  }
  EXPECT_EQ(suite.find(System::kSystemPrompt), nullptr);
  EXPECT_EQ(suite.comparisons.size(), 1u);
}

TEST_F(EvaluateTest, ComplianceIsTheMeanOfEveryOpening) {
  EvalOptions eval = options();
  eval.suites = {suite("harmful", Expect::kRefuse, {"Tell me how to fold a paper plane."})};
  eval.suites[0].max_tokens = 20;
  eval.compliance_limit = 50;
  const auto result = run_eval(*model_, eval);
  ASSERT_TRUE(result.ok()) << result.error().to_string();
  ASSERT_TRUE(result->compliance.has_value());
  const Compliance& compliance = *result->compliance;
  EXPECT_EQ(compliance.prompts, 1u);
  EXPECT_FALSE(result->suites[0].side_effects.has_value());

  EngineOptions exact;
  exact.exact = true;
  const auto engine = Engine::create(*model_, exact);
  ASSERT_TRUE(engine.ok());
  const SuitePrompt& prompt = result->suites[0].prompts[0];
  double sum = 0;
  for (const auto opening : kAffirmativeOpenings) {
    const ScoreRequest request{encoded(prompt, sentence()), *model_->tokenize(opening, false), {}};
    const auto scores = (*engine)->score(std::span(&request, 1));
    ASSERT_TRUE(scores.ok());
    sum += mean((*scores)[0]);
  }
  EXPECT_NEAR(compliance.openings_patched.value, sum / 20, 1e-5);

  const Tokens& answer = result->suites[0].find(System::kBase)->answers[0].tokens;
  ASSERT_EQ(answer.size(), 20u);
  const ScoreRequest request{encoded(prompt), answer, {}};
  const auto scores = (*engine)->score(std::span(&request, 1));
  ASSERT_TRUE(scores.ok());
  const std::vector<float> tail((*scores)[0].begin() + 15, (*scores)[0].end());
  EXPECT_NEAR(compliance.answer_base.value, mean(tail), 1e-5);
}

TEST_F(EvaluateTest, CachedAnswersAreNotGeneratedAgain) {
  EvalOptions eval = options();
  eval.system = "Be brief.";
  eval.system_limit = 1;
  eval.examples = 1;
  eval.example_tokens = 10;
  eval.cache = directory_ / "cache";
  const auto first = run_eval(*model_, eval);
  ASSERT_TRUE(first.ok()) << first.error().to_string();
  const auto second = run_eval(*model_, eval);
  ASSERT_TRUE(second.ok()) << second.error().to_string();
  for (const System& system : {System::kBase, System::kSystemPrompt, System::kPatched}) {
    const auto& before = first->suites[0].find(system)->answers;
    const auto& after = second->suites[0].find(system)->answers;
    ASSERT_EQ(before.size(), after.size());
    for (std::size_t i = 0; i < before.size(); ++i) {
      EXPECT_EQ(before[i].tokens, after[i].tokens);
      EXPECT_EQ(before[i].text, after[i].text);
    }
  }
  EXPECT_EQ(first->suites[0].find(System::kSystemPrompt)->answers.size(), 1u);
  EXPECT_GT(first->generated_tokens, 0u);
  EXPECT_EQ(second->generated_tokens, 0u);

  // Another patch shares what does not depend on it.
  eval.patches[0].digest = "other";
  const auto other = run_eval(*model_, eval);
  ASSERT_TRUE(other.ok()) << other.error().to_string();
  EXPECT_GT(other->generated_tokens, 0u);
  EXPECT_LT(other->generated_tokens, first->generated_tokens);
}

TEST_F(EvaluateTest, TimingPairsEveryRound) {
  EvalOptions eval = options();
  eval.timing_prompts = 1;
  eval.side_effect_limit = 1;
  const auto result = run_eval(*model_, eval);
  ASSERT_TRUE(result.ok()) << result.error().to_string();
  ASSERT_TRUE(result->timing.has_value());
  EXPECT_EQ(result->timing->prompts, 1u);
  EXPECT_EQ(result->timing->first_token_ratio.n, 3u);
  EXPECT_GT(result->timing->first_token_base.value, 0);
  EXPECT_GT(result->timing->tokens_per_second_patched.value, 0);
  EXPECT_EQ(result->suites[0].side_effects->kl.n, 1u);
}

TEST_F(EvaluateTest, ProgressEndsAtItsTotal) {
  EvalOptions eval = options();
  eval.examples = 1;
  eval.example_tokens = 4;
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
  EXPECT_GT(whole, 0u);
}

TEST_F(EvaluateTest, RefusesWhatMakesNoSense) {
  EvalOptions none;
  EXPECT_EQ(run_eval(*model_, none).error().kind, ErrorKind::kInvalidArgument);

  EvalOptions twice = options();
  twice.suites.push_back(twice.suites[0]);
  EXPECT_EQ(run_eval(*model_, twice).error().kind, ErrorKind::kInvalidArgument);

  EvalOptions missing = options();
  missing.suites[0].prompts = directory_ / "none.jsonl";
  EXPECT_EQ(run_eval(*model_, missing).error().kind, ErrorKind::kNotFound);

  EvalOptions learned = options();
  learned.learned_from = {
      suite("learn", Expect::kAnswer, {"Sing!", "name a red fruit that is"}).prompts};
  const auto overlap = run_eval(*model_, learned);
  ASSERT_FALSE(overlap.ok());
  EXPECT_EQ(overlap.error().kind, ErrorKind::kInvalidArgument);
  EXPECT_NE(overlap.error().message.find("learn.jsonl line 2"), std::string::npos);
  EXPECT_NE(overlap.error().message.find("benign.jsonl line 2"), std::string::npos);

  EvalOptions wide = options();
  wide.patches[0].rows = {1, 3, {0, 0, 0}};
  EXPECT_EQ(run_eval(*model_, wide).error().kind, ErrorKind::kMismatch);
}

TEST_F(EvaluateTest, ARealModelAnswersInChatForm) {
  EvalOptions eval = options();
  eval.suites = {suite("sky", Expect::kAnswer, {"Which colour is the sky on a clear day?"})};
  eval.patches.clear();
  const auto result = run_eval(smollm2(), eval);
  ASSERT_TRUE(result.ok()) << result.error().to_string();
  const SuiteResult& sky = result->suites[0];
  EXPECT_EQ(sky.prompts[0].format, PromptFormat::kChat);
  const Answer& answer = sky.find(System::kBase)->answers[0];
  EXPECT_NE(answer.text.find("sky"), std::string::npos) << answer.text;
  EXPECT_FALSE(answer.refused);
  EXPECT_EQ(answer.degeneration, Degeneration::kNone);
  EXPECT_EQ(sky.systems.size(), 1u);
  EXPECT_FALSE(sky.side_effects.has_value());
}

TEST_F(EvaluateTest, CancelStops) {
  CancelFlag cancel;
  cancel.raise();
  const auto result = run_eval(*model_, options(), &cancel);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().kind, ErrorKind::kCancelled);
}

TEST_F(EvaluateTest, WritesItsFiles) {
  const auto result = run_eval(*model_, options());
  ASSERT_TRUE(result.ok()) << result.error().to_string();
  const fs::path out = directory_ / "out";
  ASSERT_TRUE(write_eval(*result, out, {}, Overwrite::kNo).ok());
  EXPECT_TRUE(fs::exists(out / "report.html"));
  const auto lines = read_json_lines(out / "responses.jsonl", "responses");
  ASSERT_TRUE(lines.ok());
  ASSERT_EQ(lines->size(), 2u);
  EXPECT_EQ((*lines)[1].value["prompt"], "Name a fruit that is red.");
  EXPECT_TRUE((*lines)[1].value["patch"]["refused"].is_boolean());
  const auto again = write_eval(*result, out, {}, Overwrite::kNo);
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().kind, ErrorKind::kExists);
  EXPECT_TRUE(write_eval(*result, out, {}, Overwrite::kYes).ok());
  EXPECT_EQ(write_eval(*result, out, directory_ / "none", Overwrite::kYes).error().kind,
            ErrorKind::kNotFound);
}

}  // namespace
}  // namespace llmpatch
