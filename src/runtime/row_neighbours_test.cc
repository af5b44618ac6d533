#include "runtime/row_neighbours.h"

#include "runtime/test_models.h"

namespace llmpatch {
namespace {

TEST(RowNeighbours, OfATokensOwnEmbeddingIsThatToken) {
  const Tokens tokens = {100, 20000, 49000};
  const Rows rows = smollm2().embed(tokens).value();
  const auto found = find_neighbours(smollm2(), rows, 3);
  ASSERT_TRUE(found.ok()) << found.error().to_string();
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    ASSERT_EQ(found->nearest[i].size(), 3U);
    EXPECT_EQ(found->nearest[i][0].token, tokens[i]);
    EXPECT_NEAR(found->nearest[i][0].cosine, 1, 1e-6);
    EXPECT_GE(found->nearest[i][1].cosine, found->nearest[i][2].cosine);
    EXPECT_LT(found->nearest[i][1].cosine, 1);
  }
  EXPECT_FALSE(found->far());
  EXPECT_LE(found->table.norm_min, found->rows.norm_min);
  EXPECT_GE(found->table.norm_max, found->rows.norm_max);
}

TEST(RowNeighbours, AreFarWhenOneRowOrHalfOfThemAreMuchLongerThanEmbeddings) {
  Tokens tokens(10);
  for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<Token>(500 + i);
  const Rows near = smollm2().embed(tokens).value();
  const auto far = [&](std::size_t count, float factor) {
    Rows rows = near;
    for (std::size_t i = 0; i < count * rows.d; ++i) rows.values[i] *= factor;
    return find_neighbours(smollm2(), rows, 1).value().far();
  };
  EXPECT_FALSE(far(10, 3));
  EXPECT_TRUE(far(1, 1000));
  EXPECT_TRUE(far(6, 20));
}

TEST(RowNeighbours, OfARowOfNoughtsAreNone) {
  const auto found = find_neighbours(
      smollm2(), Rows{1, smollm2().n_embd(), std::vector<float>(smollm2().n_embd())}, 3);
  ASSERT_TRUE(found.ok()) << found.error().to_string();
  EXPECT_TRUE(found->nearest[0].empty());
}

TEST(RowNeighbours, NeedTheModelsWidth) {
  const auto found = find_neighbours(smollm2(), Rows{1, 2, {1, 2}}, 3);
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().kind, ErrorKind::kMismatch);
}

}  // namespace
}  // namespace llmpatch
