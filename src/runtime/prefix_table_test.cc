#include "runtime/prefix_table.h"

#include <gtest/gtest.h>

namespace llmpatch {
namespace {

Rows rows_of(std::size_t n, float value) { return {n, 2, std::vector<float>(n * 2, value)}; }

TEST(PrefixTable, ASequentialStackIsOneListOfAllRows) {
  PrefixTable table;
  const PrefixId a = table.add(rows_of(3, 1)), b = table.add(rows_of(5, 2));
  const auto stack = table.stack({{b, a}, Compose::kSequential}).value();
  EXPECT_EQ(stack->ids, (StackParts{{b, a}}));
  EXPECT_EQ(stack->rows, 8u);
  EXPECT_EQ(stack->next, 8u);
  const Rows joined = join_rows(stack->parts.at(0));
  EXPECT_EQ(joined.n, 8u);
  EXPECT_EQ(joined.values[9], 2);
  EXPECT_EQ(joined.values[10], 1);
}

TEST(PrefixTable, AParallelStackIsAListPerPrefixAndEndsBehindTheLongest) {
  PrefixTable table;
  const PrefixId a = table.add(rows_of(3, 1)), b = table.add(rows_of(5, 2));
  const auto stack = table.stack({{b, a}, Compose::kParallel}).value();
  EXPECT_EQ(stack->ids, (StackParts{{a}, {b}}));
  EXPECT_EQ(stack->rows, 8u);
  EXPECT_EQ(stack->next, 5u);
}

TEST(PrefixTable, StacksOfOnePrefixAreEqualHoweverComposed) {
  PrefixTable table;
  const PrefixId a = table.add(rows_of(3, 1));
  EXPECT_EQ(table.stack({{a}, Compose::kParallel}).value()->ids,
            table.stack({{a}, Compose::kSequential}).value()->ids);
  EXPECT_EQ(table.stack({}).value()->next, 0u);
}

TEST(PrefixTable, ARetiredPrefixLivesOnInStacksGivenOut) {
  PrefixTable table;
  const PrefixId a = table.add(rows_of(3, 1)), b = table.add(rows_of(5, 2));
  const auto stack = table.stack({{a, b}}).value();
  const auto other = table.stack({{b}}).value();
  EXPECT_FALSE(stack->retired());
  ASSERT_TRUE(table.retire(a).ok());
  EXPECT_TRUE(stack->retired());
  EXPECT_FALSE(other->retired());
  EXPECT_EQ(join_rows(stack->parts.at(0)).n, 8u);
  EXPECT_EQ(table.stack({{a}}).error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(table.retire(a).error().kind, ErrorKind::kNotFound);
  EXPECT_NE(table.add(rows_of(1, 1)), a);
}

TEST(PrefixTable, RefusesOnePrefixTwiceInParallel) {
  PrefixTable table;
  const PrefixId a = table.add(rows_of(3, 1));
  EXPECT_EQ(table.stack({{a, a}, Compose::kParallel}).error().kind, ErrorKind::kInvalidArgument);
  EXPECT_EQ(table.stack({{a, a}, Compose::kSequential}).value()->rows, 6u);
}

}  // namespace
}  // namespace llmpatch
