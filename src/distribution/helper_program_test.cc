#include "distribution/helper_program.h"

#include <gtest/gtest.h>

namespace llmpatch {
namespace {

using std::chrono::milliseconds;

TEST(HelperProgram, GetsTheInputAndGivesTheOutput) {
  const auto answer = run_helper({"cat"}, std::string(300'000, 'x'), 400'000, milliseconds(10'000));
  ASSERT_TRUE(answer.ok()) << answer.error().to_string();
  EXPECT_EQ(answer->exit_code, 0);
  EXPECT_EQ(answer->output, std::string(300'000, 'x'));
}

TEST(HelperProgram, SeesTheEndOfNoInput) {
  const auto answer = run_helper({"cat"}, "", 10, milliseconds(10'000));
  ASSERT_TRUE(answer.ok()) << answer.error().to_string();
  EXPECT_EQ(answer->output, "");
}

TEST(HelperProgram, SaysHowItEnded) {
  EXPECT_EQ(run_helper({"sh", "-c", "exit 3"}, "", 10, milliseconds(10'000))->exit_code, 3);
  EXPECT_EQ(run_helper({"sh", "-c", "kill -9 $$"}, "", 10, milliseconds(10'000))->exit_code, 137);
}

TEST(HelperProgram, MayReadNothing) {
  const auto answer = run_helper({"true"}, std::string(1'000'000, 'x'), 10, milliseconds(10'000));
  ASSERT_TRUE(answer.ok()) << answer.error().to_string();
  EXPECT_EQ(answer->exit_code, 0);
}

TEST(HelperProgram, IsStoppedAtItsLimits) {
  const auto kind = [](const char* script, std::size_t most) {
    const auto answer = run_helper({"sh", "-c", script}, "", most, milliseconds(300));
    return answer.ok() ? ErrorKind::kInternal : answer.error().kind;
  };
  EXPECT_EQ(kind("yes", 1000), ErrorKind::kLimit);
  EXPECT_EQ(kind("sleep 100", 1000), ErrorKind::kLimit);
  EXPECT_EQ(kind("exec >&- <&-; sleep 100", 1000), ErrorKind::kLimit);
}

TEST(HelperProgram, ThatIsNotThereIsNotFound) {
  const auto answer = run_helper({"llmpatch-no-such-program"}, "", 10, milliseconds(1000));
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().kind, ErrorKind::kNotFound);
}

}  // namespace
}  // namespace llmpatch
