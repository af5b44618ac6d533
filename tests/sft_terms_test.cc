// What the terms of an SFT step do to the rows, on a tiny model: a whole stage with each.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>

#include "learn/output.h"
#include "learn/step.h"
#include "learn/trainer.h"
#include "model_maker.h"

namespace llmpatch {
namespace {

constexpr Token kRefusal = 90;  // the first token of every chosen answer

class SftTerms : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(tiny_model(model_path_, {.seed = 3}).ok());
    const auto file = GgufFile::open(model_path_);
    ASSERT_TRUE(file.ok()) << file.error().to_string();
    auto model = load_transformer(*file, Arithmetic::kF32);
    ASSERT_TRUE(model.ok()) << model.error().to_string();
    model_ = std::move(model).value();
    set_.pairs = {{{1, 5, 9, 20}, {kRefusal, 8}, {}}, {{1, 5, 9, 41}, {kRefusal, 8}, {}}};
    set_.retained = {{{1, 5, 33, 60}, {7, 8}, {}}, {{1, 5, 33, 61}, {12, 13}, {}}};
    set_.corrections = {{{1, 5, 33, 62}, {44, 45}, {70, 71, 72, 73}}};
    ASSERT_TRUE(fill_base_hidden(*model_, set_.retained, nullptr, {}).ok());
  }
  void TearDown() override {
    std::filesystem::remove(model_path_);
    std::filesystem::remove(checkpoint_);
  }

  // Rows after 40 steps of SFT with these weights, from the same start.
  torch::Tensor learn(double first_token_weight, double unlikelihood_weight, int corrections) {
    StageOptions options;
    options.schedule = {.peak = 1e-2, .warmup = 2, .total = 40, .final_share = 0.1};
    options.pairs_per_step = options.retained_per_step = 2;
    options.corrections_per_step = corrections;
    options.retain_weight = 0;
    options.first_token_weight = first_token_weight;
    options.unlikelihood_weight = unlikelihood_weight;
    options.averaging = 0;
    options.evaluate_every = 40;
    StageHooks hooks;
    hooks.log = [](const std::string&) { return Status(); };
    double score = 0;
    hooks.validate = [&](const torch::Tensor&) {
      Validation found;
      found.score = ++score;  // the last one is the best
      return Result<Validation>(found);
    };
    torch::manual_seed(5);
    StageState state;
    state.rows = torch::randn({6, 64}) * 0.3;
    const Status trained = train_stage(*model_, set_, options, state, checkpoint_, hooks);
    EXPECT_TRUE(trained.ok()) << trained.error().to_string();
    return state.best_rows;
  }

  double logprob(const torch::Tensor& rows, const Tokens& prompt, Token token) {
    return logprob(rows, prompt, Tokens{token});
  }
  double logprob(const torch::Tensor& rows, const Tokens& prompt, const Tokens& answer) {
    const auto sums = answer_logprobs(*model_, rows, {{prompt, {answer}}}, nullptr, {});
    EXPECT_TRUE(sums.ok()) << sums.error().to_string();
    return sums->front();
  }

  // How nearly greedy decoding answers with all tokens of `answer`, 0 to 1.
  double taken(const torch::Tensor& rows, const Tokens& prompt, const Tokens& answer) {
    torch::NoGradGuard frozen;
    const Layout layout = pack({{prompt, {answer}}}, rows.size(0));
    const torch::Tensor hidden =
        run_batch(*model_, rows, layout).index_select(0, layout.predict_rows);
    return torch::sigmoid(token_margins(hidden, model_->output(), layout.targets))
        .prod()
        .item<double>();
  }

  const std::string name_ = "llmpatch-sft-terms-" + std::to_string(::getpid());
  const std::filesystem::path model_path_ =
      std::filesystem::temp_directory_path() / (name_ + ".gguf");
  const std::filesystem::path checkpoint_ =
      std::filesystem::temp_directory_path() / (name_ + ".state");
  std::unique_ptr<Transformer> model_;
  TrainingSet set_;
};

TEST_F(SftTerms, UnlikelihoodKeepsRetainedAnswersFromBeginningAsChosenOnes) {
  const torch::Tensor without = learn(0, 0, 0), with = learn(0, 5, 0);
  for (const Retained& text : set_.retained) {
    // Nothing else tells the prompts apart: without the term the refusal spreads to them.
    EXPECT_GT(logprob(without, text.prompt, kRefusal),
              logprob(torch::Tensor(), text.prompt, kRefusal));
    EXPECT_LT(logprob(with, text.prompt, kRefusal), logprob(without, text.prompt, kRefusal) - 1);
  }
}

TEST_F(SftTerms, FirstTokenWeightMakesTheFirstTokenLikelier) {
  const torch::Tensor without = learn(0, 0, 0), with = learn(2, 0, 0);
  for (const Pair& pair : set_.pairs) {
    EXPECT_GT(logprob(with, pair.prompt, kRefusal), logprob(without, pair.prompt, kRefusal));
  }
}

TEST_F(SftTerms, BeginningABenignAnswerAsTheBaseModelsRefusalsCostsItsUnlikelihood) {
  const Tokens beginning = {70, 71, 72};  // of the correction's rejected answer
  // Rows that answer so to every benign prompt, to begin with.
  const std::vector<Pair> harmful = set_.pairs;
  set_.pairs.clear();
  for (const Retained& text : set_.retained) set_.pairs.push_back({text.prompt, beginning, {}});
  const torch::Tensor refusing = learn(0, 0, 0);
  set_.pairs = harmful;
  StageOptions options;
  options.unlikelihood_weight = 5;
  StepExamples examples;
  for (const Pair& pair : set_.pairs) examples.harmful.push_back(&pair);
  for (const Pair& pair : set_.corrections) examples.corrections.push_back(&pair);
  for (const Retained& text : set_.retained) examples.retained.push_back(&text);
  const auto loss = [&] {
    const Step step = make_step(options, examples, refusing.size(0));
    return step_loss(*model_, refusing, step, options).first.item<double>();
  };
  const double with = loss();
  const Tokens other = {9, 30, 7};
  set_.corrections.front().rejected = other;
  const double without = loss();
  double expected = 0;
  for (const Tokens& prompt :
       {set_.corrections[0].prompt, set_.retained[0].prompt, set_.retained[1].prompt}) {
    expected -= std::log1p(-std::exp(logprob(refusing, prompt, beginning))) / 3;
    expected += std::log1p(-std::exp(logprob(refusing, prompt, other))) / 3;
  }
  EXPECT_GT(expected, 1e-3);  // or it would show nothing
  EXPECT_NEAR(with - without, 5 * expected, 2e-5);
}

TEST_F(SftTerms, UnwantedBeginningsCountTogetherOnEveryBenignPrompt) {
  const std::vector<Tokens> beginnings = {{70, 71}, {9, 30, 7}};
  // Rows that answer so to benign prompts, to begin with.
  set_.pairs = {{set_.retained[0].prompt, beginnings[0], {}},
                {set_.retained[1].prompt, beginnings[1], {}}};
  const torch::Tensor rows = learn(0, 0, 0);
  set_.pairs = {{{1, 5, 9, 20}, {kRefusal, 8}, {}}};
  StageOptions options;
  options.unlikelihood_weight = 1;
  const StepExamples examples{{&set_.pairs[0]},
                              {},
                              {&set_.retained[0], {&set_.retained[1], 3}},
                              {},
                              {&beginnings[0], &beginnings[1]}};
  const Step step = make_step(options, examples, rows.size(0));
  const StepNumbers numbers = step_loss(*model_, rows, step, options).second;
  std::vector<double> unwanted;
  for (const Retained& text : set_.retained) {
    unwanted.push_back(std::exp(logprob(rows, text.prompt, kRefusal)) +
                       std::exp(logprob(rows, text.prompt, beginnings[0])) +
                       std::exp(logprob(rows, text.prompt, beginnings[1])));
  }
  EXPECT_GT(std::min(unwanted[0], unwanted[1]), 5e-4);  // or it would show nothing
  const double expected = -(std::log1p(-unwanted[0]) + 3 * std::log1p(-unwanted[1])) / 2;
  EXPECT_NEAR(numbers.metrics.at("unlikelihood").get<double>() / expected, 1, 1e-3);
  ASSERT_EQ(numbers.benign_difficulty.size(), 2U);
  EXPECT_NEAR(numbers.benign_difficulty[0], unwanted[0], 1e-5);
  EXPECT_NEAR(numbers.benign_difficulty[1], unwanted[1], 1e-5);
  ASSERT_EQ(numbers.harmful_difficulty.size(), 1U);
  EXPECT_NEAR(numbers.harmful_difficulty[0],
              1 - std::exp(logprob(rows, set_.pairs[0].prompt, kRefusal)), 1e-5);
}

TEST_F(SftTerms, UnwantedBeginningsThatGreedyDecodingTakesCountEach) {
  const std::vector<Tokens> beginnings = {{70, 71}, {9, 30, 7}};
  // Rows that answer so to benign prompts, to begin with.
  set_.pairs = {{set_.retained[0].prompt, beginnings[0], {}},
                {set_.retained[1].prompt, beginnings[1], {}}};
  const torch::Tensor rows = learn(0, 0, 0);
  set_.pairs = {{{1, 5, 9, 20}, {kRefusal, 8}, {}}};
  StageOptions options;
  options.unlikelihood_weight = 1;
  options.greedy = true;
  const StepExamples examples{{&set_.pairs[0]},
                              {},
                              {&set_.retained[0], {&set_.retained[1], 3}},
                              {},
                              {&beginnings[0], &beginnings[1]}};
  const Step step = make_step(options, examples, rows.size(0));
  const StepNumbers numbers = step_loss(*model_, rows, step, options).second;
  std::vector<double> unwanted(2), cost(2);
  for (std::size_t text = 0; text < 2; ++text) {
    for (const Tokens& beginning : {Tokens{kRefusal}, beginnings[0], beginnings[1]}) {
      const double begun = taken(rows, set_.retained[text].prompt, beginning);
      unwanted[text] += begun;
      cost[text] -= std::log1p(-begun);
    }
  }
  EXPECT_GT(std::min(unwanted[0], unwanted[1]), 5e-4);  // or it would show nothing
  const double expected = (cost[0] + 3 * cost[1]) / 2;
  EXPECT_NEAR(numbers.metrics.at("unlikelihood").get<double>() / expected, 1, 1e-3);
  ASSERT_EQ(numbers.benign_difficulty.size(), 2U);
  EXPECT_NEAR(numbers.benign_difficulty[0], unwanted[0], 1e-5);
  EXPECT_NEAR(numbers.benign_difficulty[1], unwanted[1], 1e-5);
  ASSERT_EQ(numbers.harmful_difficulty.size(), 1U);
  EXPECT_NEAR(numbers.harmful_difficulty[0],
              1 - taken(rows, set_.pairs[0].prompt, {kRefusal}), 1e-5);
}

TEST_F(SftTerms, WithUnlikelihoodCorrectionsOnlySayHowNotToBegin) {
  StageOptions options;
  StepExamples examples{{&set_.pairs[0]}, {&set_.corrections[0]}, {}, {}, {}};
  EXPECT_EQ(make_step(options, examples, 6).chosen.count_answers(), 2);
  options.unlikelihood_weight = 5;
  const Step step = make_step(options, examples, 6);
  EXPECT_EQ(step.chosen.count_answers(), 1);
  EXPECT_EQ(step.unwanted.count_answers(), 1);
  // Without a refusal to keep from, its answer is what it has to say.
  set_.corrections[0].rejected.clear();
  EXPECT_EQ(make_step(options, examples, 6).chosen.count_answers(), 2);
}

TEST_F(SftTerms, OneAnswerOfAStepIsLearnedWhole) {
  set_.pairs[0].chosen = set_.pairs[1].chosen = {kRefusal, 8, 9, 10, 11};
  StageOptions options;
  options.answer_tokens = 2;
  const StepExamples examples{{&set_.pairs[0], &set_.pairs[1]}, {}, {}, {}, {}};
  EXPECT_EQ(make_step(options, examples, 6).chosen.tokens.size(), 5u + 2);
  options.answer_tokens = 0;
  EXPECT_EQ(make_step(options, examples, 6).chosen.tokens.size(), 5u + 5);
}

TEST_F(SftTerms, LongerAnswersAreKeptByTheirMeanDivergence) {
  set_.whole = {{set_.retained[0].prompt, {7, 8, 30, 31, 32, 33}, {}},
                {set_.retained[1].prompt, {12, 13}, {}}};
  ASSERT_TRUE(fill_base_hidden(*model_, set_.whole, nullptr, {}).ok());
  const torch::Tensor rows = learn(0, 0, 0);
  StageOptions options;
  options.retain_weight = 0.5;
  StepExamples examples{{&set_.pairs[0]}, {}, {&set_.retained[0]}, {}, {}};
  const auto loss = [&](const StepExamples& of) {
    const Step step = make_step(options, of, rows.size(0));
    const auto [total, numbers] = step_loss(*model_, rows, step, options);
    return total.item<double>() - numbers.loss;  // what retaining adds to the objective
  };
  const auto divergence = [&](const Retained& text) {  // summed over its tokens
    torch::NoGradGuard frozen;
    const Layout layout = pack({{text.prompt, {text.answer}}}, rows.size(0));
    const torch::Tensor hidden =
        run_batch(*model_, rows, layout).index_select(0, layout.predict_rows);
    return token_divergence(text.hidden, hidden, model_->output()).sum().item<double>();
  };
  const double short_one = 0.5 * divergence(set_.retained[0]);
  EXPECT_NEAR(loss(examples), short_one, 1e-5 * std::max(1.0, short_one));
  examples.whole = {&set_.whole[0], &set_.whole[1]};
  options.whole_retain_weight = 6;
  const double mean = (divergence(set_.whole[0]) + divergence(set_.whole[1])) / (6 + 2);
  EXPECT_GT(mean, 1e-4);  // or it would show nothing
  EXPECT_NEAR(loss(examples), short_one + 6 * mean, 1e-4 * (short_one + 6 * mean));
}

TEST_F(SftTerms, BesideACompanionWhatStaysIsWhatTheModelSaysBesideIt) {
  set_.whole = {{set_.retained[0].prompt, {7, 8, 30, 31}, {}}};
  ASSERT_TRUE(fill_base_hidden(*model_, set_.whole, nullptr, {}).ok());
  const torch::Tensor rows = learn(0, 0, 0);
  torch::manual_seed(8);
  const torch::Tensor companion = torch::randn({9, 64}) * 0.3;
  StageOptions options;
  options.retain_weight = 0.5;
  options.whole_retain_weight = 3;
  const StepExamples examples{
      {&set_.pairs[0]}, {}, {&set_.retained[0], {&set_.retained[1], 2}}, {&set_.whole[0]}, {}};
  // A text at a time; the companion alone is an ordinary prefix.
  const auto divergence = [&](const Retained& text) {  // per token
    torch::NoGradGuard frozen;
    const std::vector<Sequence> alone{{text.prompt, {text.answer}}};
    const Layout behind = pack(alone, companion.size(0));
    const Layout both = pack(alone, rows.size(0), companion);
    return token_divergence(
        run_batch(*model_, companion, behind).index_select(0, behind.predict_rows),
        run_batch(*model_, rows, both).index_select(0, both.predict_rows), model_->output());
  };
  const torch::Tensor short_ones =
      divergence(set_.retained[0]).sum() + 2 * divergence(set_.retained[1]).sum();
  const double expected = 0.5 * short_ones.item<double>() / 2 +
                          3 * divergence(set_.whole[0]).mean().item<double>();
  const Step step = make_step(options, examples, rows.size(0), companion);
  const auto [total, numbers] = step_loss(*model_, rows, step, options);
  EXPECT_GT(expected, 1e-3);  // or it would show nothing
  EXPECT_NEAR(total.item<double>() - numbers.loss, expected, 1e-4 * std::max(1.0, expected));
  // It is not what the model says alone.
  const torch::Tensor reference = retained_reference(*model_, step);
  EXPECT_FALSE(reference.requires_grad());
  EXPECT_EQ(reference.sizes(), step.retained_hidden.sizes());
  EXPECT_GT((reference - step.retained_hidden).abs().max().item<double>(), 0.1);
  const Step without = make_step(options, examples, rows.size(0));
  EXPECT_TRUE(torch::equal(retained_reference(*model_, without), without.retained_hidden));
}

TEST_F(SftTerms, AStageBesideCompanionsLearnsToWorkBesideThem) {
  torch::manual_seed(8);
  const torch::Tensor companion = torch::randn({9, 64}) * 0.5;
  const auto refusal_beside = [&](const torch::Tensor& rows) {
    torch::NoGradGuard frozen;
    const Layout layout = pack({{set_.pairs[0].prompt, {{kRefusal}}}}, rows.size(0), companion);
    const torch::Tensor hidden =
        run_batch(*model_, rows, layout).index_select(0, layout.predict_rows);
    return token_logprobs(hidden, model_->output(), layout.targets).item<double>();
  };
  const double alone = refusal_beside(learn(0, 0, 0));
  set_.companions = Companions({companion}, 0, 0.5);
  EXPECT_GT(refusal_beside(learn(0, 0, 0)), alone + 0.5);
}

TEST_F(SftTerms, CorrectionsAreLearnedAsPairsAre) {
  const torch::Tensor without = learn(0, 0, 0), with = learn(0, 0, 1);
  const Pair& correction = set_.corrections.front();
  const Token answer = correction.chosen.front();
  EXPECT_GT(logprob(with, correction.prompt, answer),
            logprob(without, correction.prompt, answer) + 1);
}

}  // namespace
}  // namespace llmpatch
