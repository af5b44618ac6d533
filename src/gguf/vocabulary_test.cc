#include "gguf/vocabulary.h"

#include <gtest/gtest.h>

#include "gguf/gguf_test_file.h"

namespace llmpatch {
namespace {

struct Words {
  std::string kind = "gpt2", pre = "gpt-2";
  std::vector<std::string> pieces{"a", "b", "ab"}, merges{"a b"};
  std::string scores;  // of llama's kind of tokenizer, as bytes
};

GgufFile file_of(const Words& words, std::uint32_t end = 0) {
  GgufTestFile file;
  file.text("general.architecture", "llama");
  file.text("tokenizer.ggml.model", words.kind);
  file.text("tokenizer.ggml.pre", words.pre);
  file.strings("tokenizer.ggml.tokens", words.pieces);
  if (!words.merges.empty()) file.strings("tokenizer.ggml.merges", words.merges);
  if (!words.scores.empty()) file.array("tokenizer.ggml.scores", 6, 3, words.scores);
  file.u32("tokenizer.ggml.eos_token_id", end);
  return open_gguf(file.bytes()).value();
}

TEST(Vocabulary, IsTheSameWhateverEndsAText) {
  EXPECT_TRUE(same_vocabulary(file_of({}), file_of({})));
  EXPECT_TRUE(same_vocabulary(file_of({}, 1), file_of({}, 2)));
}

TEST(Vocabulary, MayHaveMorePiecesBehind) {
  const Words padded{.pieces = {"a", "b", "ab", "<pad>"}};
  EXPECT_TRUE(same_vocabulary(file_of({}), file_of(padded)));
  EXPECT_TRUE(same_vocabulary(file_of(padded), file_of({})));
  EXPECT_FALSE(same_vocabulary(file_of({}), file_of({.pieces = {"<pad>", "a", "b", "ab"}})));
}

TEST(Vocabulary, DiffersWithWhatCutsText) {
  EXPECT_FALSE(same_vocabulary(file_of({}), file_of({.kind = "llama"})));
  EXPECT_FALSE(same_vocabulary(file_of({}), file_of({.pre = "smollm"})));
  EXPECT_FALSE(same_vocabulary(file_of({}), file_of({.pieces = {"a", "b", "ba"}})));
  EXPECT_FALSE(same_vocabulary(file_of({}), file_of({.merges = {"b a"}})));
  EXPECT_FALSE(same_vocabulary(file_of({}), file_of({.merges = {}})));
  const auto scores = [](float last) {
    return little_endian(0.F) + little_endian(-1.F) + little_endian(last);
  };
  EXPECT_TRUE(same_vocabulary(file_of({.scores = scores(-2)}), file_of({.scores = scores(-2)})));
  EXPECT_FALSE(same_vocabulary(file_of({.scores = scores(-2)}), file_of({.scores = scores(-3)})));
  EXPECT_FALSE(same_vocabulary(file_of({.scores = scores(-2)}), file_of({})));
}

}  // namespace
}  // namespace llmpatch
