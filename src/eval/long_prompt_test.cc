#include "eval/long_prompt.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/file.h"
#include "runtime/test_models.h"

namespace llmpatch {
namespace {

TEST(AfterText, BeforeTheLastUserMessage) {
  SuitePrompt prompt;
  prompt.prompt.messages = {{"user", "one"}, {"assistant", "two"}, {"user", "three"}};
  const SuitePrompt longer = after_text(prompt, "text");
  EXPECT_EQ(longer.prompt.messages[0].content, "one");
  EXPECT_EQ(longer.prompt.messages[2].content, "text\n\nthree");
  EXPECT_EQ(after_text(prompt, "").digest(), prompt.digest());
}

TEST(ContextFor, TheLongestFillerAndRoom) {
  Suite plain, longer;
  longer.filler_tokens = {0, 4096, 512};
  longer.decodings = {{32, 1, 0, 1}};
  EXPECT_EQ(context_for(std::vector<Suite>{plain}), 0);
  EXPECT_EQ(context_for(std::vector<Suite>{plain, longer}), 4096 + 1024 + 32);
}

TEST(LongPrompt, TheBuiltInTextIsAsLongAsItsLongestBeginning) {
  const Suite suite =
      load_suite("long-prompt", std::filesystem::path(LLMPATCH_SOURCE_DIR) / "data").value();
  const std::string text = read_file(suite.filler, 1 << 20, "filler text").value();
  EXPECT_GE(smollm2().tokenize(text, false).value().size(),
            static_cast<std::size_t>(std::ranges::max(suite.filler_tokens)));
}

}  // namespace
}  // namespace llmpatch
