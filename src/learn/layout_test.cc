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

}  // namespace
}  // namespace llmpatch
