#include "runtime/answer_stream.h"

#include <gtest/gtest.h>

namespace llmpatch {
namespace {

TokenLogprob logprob(Token token) { return {token, -1, {}}; }

std::vector<Token> tokens_of(const AnswerStream::Piece& piece) {
  std::vector<Token> tokens;
  for (const TokenLogprob& logprob : piece.logprobs) tokens.push_back(logprob.token);
  return tokens;
}

using Ids = std::vector<Token>;

TEST(AnswerStream, SendsWholeCharactersWithTheTokensTheyCameFrom) {
  AnswerStream stream({});
  AnswerStream::Piece piece = stream.push("a\xC3", logprob(1));
  EXPECT_EQ(piece.text, "a");
  EXPECT_EQ(tokens_of(piece), Ids{1});
  piece = stream.push("\xA4", logprob(2));
  EXPECT_EQ(piece.text, "\xC3\xA4");
  EXPECT_EQ(tokens_of(piece), Ids{2});
}

TEST(AnswerStream, HoldsATokenBackWithItsText) {
  AnswerStream stream({"stop"});
  AnswerStream::Piece piece = stream.push("st", logprob(1));
  EXPECT_EQ(piece.text, "");
  EXPECT_TRUE(piece.logprobs.empty());
  piece = stream.push("art", logprob(2));
  EXPECT_EQ(piece.text, "start");
  EXPECT_EQ(tokens_of(piece), (Ids{1, 2}));
  EXPECT_FALSE(stream.stopped());
}

TEST(AnswerStream, LeavesOutTheTokensOfAStop) {
  AnswerStream stream({"stop"});
  EXPECT_EQ(stream.push("go", logprob(1)).text, "go");
  AnswerStream::Piece piece = stream.push(" s", logprob(2));
  EXPECT_EQ(piece.text, " ");
  EXPECT_EQ(tokens_of(piece), Ids{2});
  EXPECT_EQ(stream.push("to", logprob(3)).text, "");
  piece = stream.push("p now", logprob(4));
  EXPECT_EQ(piece.text, "");
  EXPECT_TRUE(piece.logprobs.empty());
  EXPECT_TRUE(stream.stopped());
  piece = stream.finish();
  EXPECT_EQ(piece.text, "");
  EXPECT_TRUE(piece.logprobs.empty());
}

TEST(AnswerStream, FinishesWithAllThatWasHeld) {
  AnswerStream stream({"stop"});
  stream.push("st", logprob(1));
  stream.push("o\xC3", logprob(2));
  stream.push("", logprob(3));
  const AnswerStream::Piece piece = stream.finish();
  EXPECT_EQ(piece.text, "sto\xC3");
  EXPECT_EQ(tokens_of(piece), (Ids{1, 2, 3}));
}

}  // namespace
}  // namespace llmpatch
