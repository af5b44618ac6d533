#include "base/helper_program.h"

#include <gtest/gtest.h>

namespace llmpatch {
namespace {

using std::chrono::milliseconds;

Result<HelperAnswer> run(const std::vector<std::string>& command, const std::string& input,
                         std::size_t most, milliseconds limit, const CancelFlag* cancel = nullptr) {
  return run_helper("test", command, input, {most, limit, cancel});
}

TEST(HelperProgram, GetsTheInputAndGivesTheOutput) {
  const auto answer = run({"cat"}, std::string(300'000, 'x'), 400'000, milliseconds(10'000));
  ASSERT_TRUE(answer.ok()) << answer.error().to_string();
  EXPECT_EQ(answer->exit_code, 0);
  EXPECT_EQ(answer->output, std::string(300'000, 'x'));
}

TEST(HelperProgram, SeesTheEndOfNoInput) {
  const auto answer = run({"cat"}, "", 10, milliseconds(10'000));
  ASSERT_TRUE(answer.ok()) << answer.error().to_string();
  EXPECT_EQ(answer->output, "");
}

TEST(HelperProgram, SaysHowItEnded) {
  EXPECT_EQ(run({"sh", "-c", "exit 3"}, "", 10, milliseconds(10'000))->exit_code, 3);
  EXPECT_EQ(run({"sh", "-c", "kill -9 $$"}, "", 10, milliseconds(10'000))->exit_code, 137);
}

TEST(HelperProgram, MayReadNothing) {
  const auto answer = run({"true"}, std::string(1'000'000, 'x'), 10, milliseconds(10'000));
  ASSERT_TRUE(answer.ok()) << answer.error().to_string();
  EXPECT_EQ(answer->exit_code, 0);
}

TEST(HelperProgram, IsStoppedAtItsLimits) {
  const auto kind = [](const char* script, std::size_t most) {
    const auto answer = run({"sh", "-c", script}, "", most, milliseconds(300));
    return answer.ok() ? ErrorKind::kInternal : answer.error().kind;
  };
  EXPECT_EQ(kind("yes", 1000), ErrorKind::kLimit);
  EXPECT_EQ(kind("sleep 100", 1000), ErrorKind::kLimit);
  EXPECT_EQ(kind("exec >&- <&-; sleep 100", 1000), ErrorKind::kLimit);
}

TEST(HelperProgram, ThatIsNotThereIsNotFound) {
  const auto answer = run({"llmpatch-no-such-program"}, "", 10, milliseconds(1000));
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(answer.error().where, "test");
}

TEST(HelperProgram, ThatHasNoNameIsRefused) {
  for (const std::vector<std::string>& command : {std::vector<std::string>{}, {""}}) {
    const auto answer = run(command, "", 10, milliseconds(1000));
    ASSERT_FALSE(answer.ok());
    EXPECT_EQ(answer.error().kind, ErrorKind::kInvalidArgument);
  }
}

TEST(HelperProgram, EndsWhenCancelled) {
  CancelFlag cancel;
  cancel.raise();
  const auto answer = run({"sleep", "100"}, "", 10, milliseconds(60'000), &cancel);
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().kind, ErrorKind::kCancelled);
}

}  // namespace
}  // namespace llmpatch
