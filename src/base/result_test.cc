#include "base/result.h"

#include <gtest/gtest.h>

#include <set>

namespace llmpatch {
namespace {

Result<int> half(int value) {
  if (value % 2 != 0)
    return make_error(ErrorKind::kInvalidArgument, "test", "value: found odd, expected even");
  return value / 2;
}

Result<int> quarter(int value) {
  LLMPATCH_ASSIGN(const int first, half(value));
  LLMPATCH_ASSIGN(const int second, half(first));
  return second;
}

TEST(Result, CarriesTheValueOrTheErrorThroughCallers) {
  EXPECT_EQ(quarter(12).value(), 3);
  const auto failed = quarter(6);
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().kind, ErrorKind::kInvalidArgument);
}

TEST(Error, IsOneLineAndAHint) {
  const Error error = make_error(ErrorKind::kIo, "file", "write x: no space", "free some");
  EXPECT_EQ(error.to_string(), "[file] write x: no space\nhint: free some");
}

TEST(ErrorKind, EveryKindHasItsOwnExitCode) {
  std::set<int> codes;
  for (int number : {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 130}) {
    const auto& info = error_kind_info(static_cast<ErrorKind>(number));
    EXPECT_EQ(info.exit_code, number);
    EXPECT_GE(info.http_status, 400);
    codes.insert(info.exit_code);
  }
  EXPECT_EQ(codes.size(), 14u);
}

}  // namespace
}  // namespace llmpatch
