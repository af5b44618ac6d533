#include "learn/trainer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>

namespace llmpatch {
namespace {

TEST(Schedule, WarmsUpThenFallsToItsFinalShare) {
  const Schedule schedule{.peak = 0.01, .warmup = 4, .total = 24, .final_share = 0.1};
  EXPECT_DOUBLE_EQ(schedule.rate(0), 0.0025);
  EXPECT_DOUBLE_EQ(schedule.rate(3), 0.01);
  EXPECT_DOUBLE_EQ(schedule.rate(4), 0.01);
  EXPECT_NEAR(schedule.rate(23), 0.001, 1e-12);
  for (int step = 5; step < 24; ++step) EXPECT_LT(schedule.rate(step), schedule.rate(step - 1));
}

TEST(Adam, FirstStepMovesEveryRowByTheRate) {
  torch::Tensor rows = torch::zeros({2, 3});
  Adam adam;
  const torch::Tensor gradient = torch::tensor({{0.1F, -0.2F, 0.3F}, {-0.1F, 0.2F, -0.3F}});
  EXPECT_NEAR(adam.update(rows, gradient, 0.01), gradient.norm().item<double>(), 1e-6);
  EXPECT_LE((rows + 0.01 * gradient.sign()).abs().max().item<double>(), 1e-6);
}

TEST(Adam, LeavesRowsAloneWhenTheGradientIsNotFinite) {
  torch::Tensor rows = torch::ones({1, 2});
  Adam adam;
  const double norm =
      adam.update(rows, torch::tensor({{1.0F, std::numeric_limits<float>::quiet_NaN()}}), 0.01);
  EXPECT_FALSE(std::isfinite(norm));
  EXPECT_TRUE(torch::equal(rows, torch::ones({1, 2})));
  EXPECT_EQ(adam.steps, 0);
}

TEST(DrawsOfStage, AreThoseThatItsStepsDraw) {
  StageOptions options;
  options.schedule.total = 5;
  options.pairs_per_step = 2;
  options.corrections_per_step = 0;
  options.retained_per_step = 3;
  TrainingSet set;
  set.pairs.resize(4);
  set.corrections.resize(9);
  set.retained.resize(100);
  const StageDraws draws = draws_of_stage(options, set);
  EXPECT_EQ(draws.pairs, (std::vector<std::size_t>{0, 1, 2, 3}));  // two epochs and a half
  EXPECT_TRUE(draws.corrections.empty());
  EXPECT_EQ(draws.retained.size(), 15U);  // an epoch repeats nothing
  EXPECT_TRUE(std::is_sorted(draws.retained.begin(), draws.retained.end()));
  EXPECT_LT(draws.retained.back(), 100U);
  EXPECT_TRUE(draws_of_stage(options, {}).retained.empty());
  options.easy_rate = 0.5;  // easy ones will make room for others
  EXPECT_EQ(draws_of_stage(options, set).retained.size(), 100U);
  EXPECT_TRUE(draws_of_stage(options, set).corrections.empty());
}

TEST(DrawsOfStage, AreAsManyOfEveryRisk) {
  StageOptions options;
  options.schedule.total = 6;
  options.pairs_per_step = 3;
  options.corrections_per_step = 1;
  options.retained_per_step = 2;
  TrainingSet set;
  set.risks = {"toxicity", "gender"};
  set.pairs.resize(104);
  set.risk_pairs = {4, 100};
  set.retained.resize(50);
  set.risk_retained = {50, 0};
  set.corrections.resize(20);
  const StageDraws draws = draws_of_stage(options, set);
  // Nine of each: all four of the one, nine different ones of the other.
  ASSERT_EQ(draws.pairs.size(), 13U);
  EXPECT_EQ(std::vector<std::size_t>(draws.pairs.begin(), draws.pairs.begin() + 4),
            (std::vector<std::size_t>{0, 1, 2, 3}));
  EXPECT_EQ(draws.retained.size(), 12U);
  EXPECT_EQ(draws.corrections.size(), 6U);
  options.easy_rate = 0.5;
  EXPECT_EQ(draws_of_stage(options, set).pairs.size(), 104U);
}

class State : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }
  std::filesystem::path path_ =
      std::filesystem::temp_directory_path() / ("llmpatch-state-" + std::to_string(::getpid()));
};

TEST_F(State, ComesBackAsItWasSaved) {
  StageState state;
  state.rows = torch::rand({3, 4});
  state.adam.first = torch::rand({3, 4});
  state.adam.second = torch::rand({3, 4});
  state.adam.steps = 11;
  state.average = torch::rand({3, 4});
  state.step = 12;
  state.sampling.retained = torch::tensor({5.0, 1.5, 0.25}, torch::kDouble);
  state.best_rows = torch::rand({3, 4});
  state.best = {0.9, 0.05, 0.07, 0.8};
  state.best_step = 10;
  state.validations_since_best = 2;
  ASSERT_TRUE(save_state(state, path_).ok());
  const auto again = load_state(path_);
  ASSERT_TRUE(again.ok()) << again.error().to_string();
  EXPECT_TRUE(torch::equal(again->rows, state.rows));
  EXPECT_TRUE(torch::equal(again->adam.first, state.adam.first));
  EXPECT_TRUE(torch::equal(again->adam.second, state.adam.second));
  EXPECT_TRUE(torch::equal(again->best_rows, state.best_rows));
  EXPECT_TRUE(torch::equal(again->average, state.average));
  EXPECT_TRUE(torch::equal(again->sampling.retained, state.sampling.retained));
  EXPECT_FALSE(again->sampling.pairs.defined());
  EXPECT_EQ(again->adam.steps, 11);
  EXPECT_EQ(again->step, 12);
  EXPECT_EQ(again->best_step, 10);
  EXPECT_EQ(again->validations_since_best, 2);
  EXPECT_EQ(again->best.over_refused, 0.05);
  EXPECT_TRUE(again->best.risks.empty());
  state.best.risks = {0.75, 0.5, 0.25};
  ASSERT_TRUE(save_state(state, path_).ok());
  EXPECT_EQ(load_state(path_)->best.risks, state.best.risks);
}

TEST_F(State, RefusesOtherFiles) {
  for (const char* text : {"", "PK\x03\x04 not a checkpoint"}) {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << text;
    const auto state = load_state(path_);
    ASSERT_FALSE(state.ok());
    EXPECT_EQ(state.error().kind, ErrorKind::kCorrupt);
  }
}

}  // namespace
}  // namespace llmpatch
