#include "eval/answer_cache.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

class AnswerCacheTest : public ::testing::Test {
 protected:
  void SetUp() override { fs::remove_all(directory_); }
  void TearDown() override { fs::remove_all(directory_); }

  static Answer answer(Tokens tokens, bool ended) {
    Answer out;
    out.tokens = std::move(tokens);
    out.ended = ended;
    return out;
  }
  // The one file in the cache.
  fs::path file() const {
    for (const auto& entry : fs::directory_iterator(directory_)) return entry.path();
    return {};
  }

  const fs::path directory_ =
      fs::path(::testing::TempDir()) / ("answer-cache-" + std::to_string(::getpid()));
  const std::vector<std::string> digests_{"d1", "d2", "d3"};
};

TEST_F(AnswerCacheTest, GivesBackWhatWasSaved) {
  const AnswerCache cache(directory_, "key", 100);
  EXPECT_TRUE(cache.load(digests_).empty());
  ASSERT_TRUE(cache.save({answer({1, 2}, true), answer({}, false)}, digests_).ok());
  const auto answers = cache.load(digests_);
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[0].tokens, (Tokens{1, 2}));
  EXPECT_TRUE(answers[0].ended);
  EXPECT_TRUE(answers[1].tokens.empty());
  EXPECT_FALSE(answers[1].ended);
}

TEST_F(AnswerCacheTest, AnotherKeyOrPromptFindsNothing) {
  ASSERT_TRUE(AnswerCache(directory_, "key", 100).save({answer({1}, true)}, digests_).ok());
  EXPECT_TRUE(AnswerCache(directory_, "other", 100).load(digests_).empty());
  EXPECT_TRUE(AnswerCache(directory_, "key", 100).load({"d9"}).empty());
}

TEST_F(AnswerCacheTest, DamagedFileIsMeasuredAnew) {
  const AnswerCache cache(directory_, "key", 100);
  for (const char* text : {"{\"prompt\": \"d1\"", "{\"prompt\": \"d1\"}\n", "[]\n",
                           "{\"prompt\": \"d1\", \"tokens\": [\"x\"], \"ended\": true}\n",
                           "{\"prompt\": \"d1\", \"tokens\": [100], \"ended\": true}\n",
                           "{\"prompt\": \"d1\", \"tokens\": [-1], \"ended\": true}\n"}) {
    ASSERT_TRUE(cache.save({answer({1}, true)}, digests_).ok());
    std::ofstream(file(), std::ios::trunc) << text;
    EXPECT_TRUE(cache.load(digests_).empty()) << text;
  }
}

TEST_F(AnswerCacheTest, WithoutDirectoryNothingIsKept) {
  const AnswerCache cache({}, "key", 100);
  ASSERT_TRUE(cache.save({answer({1}, true)}, digests_).ok());
  EXPECT_TRUE(cache.load(digests_).empty());
}

}  // namespace
}  // namespace llmpatch
