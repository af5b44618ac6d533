#include "learn/layout.h"

#include <gtest/gtest.h>

namespace llmpatch {
namespace {

std::vector<std::int64_t> list(const torch::Tensor& tensor) {
  return {tensor.data_ptr<std::int64_t>(), tensor.data_ptr<std::int64_t>() + tensor.numel()};
}

using Numbers = std::vector<std::int64_t>;

TEST(Pack, SharesThePrefixAndTheOpeningOfPrompts) {
  const Layout layout = pack({{{1, 2, 3}, {{10, 11}, {12}}}, {{1, 2, 4, 5}, {{13}}}}, 3);
  EXPECT_EQ(layout.prefix_rows, 3);
  EXPECT_EQ(layout.shared_rows, 5);  // 3 rows and the tokens 1, 2
  EXPECT_EQ(layout.rows, 3 + 2 + (1 + 1) + 2);
  EXPECT_EQ(list(layout.token_ids), (Numbers{1, 2, 3, 10, 4, 5}));
  EXPECT_EQ(list(layout.positions), (Numbers{0, 1, 2, 3, 4, 5, 6, 5, 6}));
  EXPECT_EQ(list(layout.targets), (Numbers{10, 11, 12, 13}));
  EXPECT_EQ(list(layout.answer_ids), (Numbers{0, 0, 1, 2}));
  // Token 10 and token 12 are both predicted by the prompt's last row.
  EXPECT_EQ(list(layout.predict_rows), (Numbers{5, 6, 5, 8}));
}

TEST(Pack, AnswersSeeTheirPromptAndThemselvesOnly) {
  const Layout layout = pack({{{1, 2}, {{10, 11, 14}, {}, {12, 13, 15}}}}, 4);
  ASSERT_EQ(layout.spans.size(), 2u);  // one prompt shares its opening with nobody
  const auto& span = layout.spans[1];
  EXPECT_EQ(span.before, 4);
  EXPECT_EQ(span.shared, (Numbers{4, 4, 6, 6, 6, 6}));
  EXPECT_EQ(span.own, (Numbers{4, 4, 6, 6, 8, 8}));
  // Both answers continue at the position after their prompt.
  EXPECT_EQ(list(layout.positions), (Numbers{0, 1, 2, 3, 4, 5, 6, 7, 6, 7}));
  EXPECT_EQ(list(layout.predict_rows), (Numbers{5, 6, 7, 5, 8, 9}));
}

TEST(Pack, LeavesEveryPromptATokenOfItsOwn) {
  const Layout layout = pack({{{1, 2}, {{9}}}, {{1, 2}, {{8}}}, {{7}, {{6}}}}, 0);
  EXPECT_EQ(layout.shared_rows, 1);
  ASSERT_EQ(layout.spans.size(), 4u);
  EXPECT_EQ(layout.spans[1].before, 1);
  EXPECT_EQ(layout.spans[3].before, 0);  // the prompt that begins otherwise sees no opening
}

TEST(Pack, HasNoSharedRowsWithoutPrefixAndOpening) {
  const Layout layout = pack({{{1, 2}, {{9, 8}}}}, 0);
  EXPECT_EQ(layout.shared_rows, 0);
  EXPECT_EQ(layout.spans.size(), 1u);
  EXPECT_EQ(layout.rows, 3);
}

// The batch rows that row `row` of the batch looks at.
Numbers seen_by(const Layout& layout, std::int64_t row) {
  for (const auto& span : layout.spans) {
    if (row < span.start || row >= span.start + span.length) continue;
    const auto i = static_cast<std::size_t>(row - span.start);
    Numbers seen;
    for (std::int64_t j = 0; j <= span.before + row - span.start; ++j) {
      const std::int64_t at = j < span.before ? j : span.start + j - span.before;
      if (j < span.shared[i] || j >= span.own[i]) seen.push_back(at);
    }
    return seen;
  }
  return {};
}

TEST(Pack, ACompanionStandsBesideThePrefix) {
  // Two rows and three beside them, an opening of one token, two prompts that have it and one not.
  const Layout layout =
      pack({{{1, 2}, {{10, 11}}}, {{1, 3}, {}}, {{4}, {}}}, 2, torch::zeros({3, 8}));
  EXPECT_EQ(layout.prefix_rows, 2);
  EXPECT_EQ(layout.shared_rows, 6);
  EXPECT_EQ(layout.rows, 2 + 3 + 1 + (1 + 1) + 1 + 1);
  EXPECT_EQ(list(layout.token_ids), (Numbers{1, 2, 10, 3, 4}));
  // Both begin at 0, what follows at the longer one's end.
  EXPECT_EQ(list(layout.positions), (Numbers{0, 1, 0, 1, 2, 3, 4, 5, 4, 3}));
  EXPECT_EQ(seen_by(layout, 1), (Numbers{0, 1}));
  EXPECT_EQ(seen_by(layout, 4), (Numbers{2, 3, 4}));  // the companion sees nothing of the prefix
  EXPECT_EQ(seen_by(layout, 5), (Numbers{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(seen_by(layout, 7), (Numbers{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(seen_by(layout, 8), (Numbers{0, 1, 2, 3, 4, 5, 8}));
  EXPECT_EQ(seen_by(layout, 9), (Numbers{0, 1, 2, 3, 4, 9}));  // it begins otherwise
  EXPECT_EQ(list(layout.predict_rows), (Numbers{6, 7}));
}

TEST(Pack, ACompanionAloneIsAPrefix) {
  const std::vector<Sequence> sequences{{{1, 2}, {{10, 11}}}, {{1, 3}, {{9}}}};
  const Layout beside = pack(sequences, 0, torch::zeros({3, 8})), behind = pack(sequences, 3);
  EXPECT_EQ(list(beside.positions), list(behind.positions));
  EXPECT_EQ(list(beside.predict_rows), list(behind.predict_rows));
  ASSERT_EQ(beside.rows, behind.rows);
  for (std::int64_t row = 0; row < beside.rows; ++row) {
    EXPECT_EQ(seen_by(beside, row), seen_by(behind, row)) << row;
  }
}

TEST(Pack, AShorterCompanionLeavesThePositionsOfThePrefix) {
  const Layout layout = pack({{{1, 2}, {}}}, 4, torch::zeros({1, 8}));
  EXPECT_EQ(list(layout.positions), (Numbers{0, 1, 2, 3, 0, 4, 5}));
}

}  // namespace
}  // namespace llmpatch
