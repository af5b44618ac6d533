#include <gtest/gtest.h>

#include "judge/judge.h"

namespace llmpatch {
namespace {

TEST(JudgeRegistry, EveryJudgeIsMadeByItsName) {
  ASSERT_FALSE(judge_names().empty());
  for (const auto name : judge_names()) {
    const auto judge = make_judge(name);
    ASSERT_TRUE(judge.ok()) << name;
    EXPECT_EQ((*judge)->name(), name);
  }
}

TEST(JudgeRegistry, UnknownNameListsTheKnownOnes) {
  const auto judge = make_judge("oracle");
  ASSERT_FALSE(judge.ok());
  EXPECT_EQ(judge.error().kind, ErrorKind::kNotFound);
  EXPECT_NE(judge.error().message.find("oracle"), std::string::npos);
  EXPECT_NE(judge.error().message.find("refusal"), std::string::npos);
}

}  // namespace
}  // namespace llmpatch
