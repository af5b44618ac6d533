#include "runtime/token_chooser.h"

#include <cmath>
#include <set>

#include "runtime/test_models.h"

namespace llmpatch {
namespace {

class TokenChooserTest : public ::testing::Test {
 protected:
  TokenChooser chooser(std::unique_ptr<Grammar> grammar = nullptr) {
    return TokenChooser(sampling_, std::move(grammar), AnswerRandom(1, "key", 0));
  }
  Token next(TokenChooser& chooser, const std::vector<float>& logits) {
    const Token token = chooser.choose(logits, scratch_).value().value();
    EXPECT_TRUE(chooser.accept(token).ok());
    return token;
  }

  ServingSampling sampling_;
  const Tokens suppressed_;
  ChooserScratch scratch_{suppressed_};
};

TEST_F(TokenChooserTest, BiasMovesTokens) {
  sampling_.logit_bias = {{1, -5.0f}, {2, 1.5f}};
  auto biased = chooser();
  EXPECT_EQ(next(biased, {0, 3, 1, 2}), 2);
}

TEST_F(TokenChooserTest, FrequencyCountsEveryUse) {
  sampling_.frequency_penalty = 1;
  auto chosen = chooser();
  // Token 0 leads by 2.5: it is taken until it was used three times.
  std::vector<Token> tokens;
  for (int i = 0; i < 5; ++i) tokens.push_back(next(chosen, {2.5f, 0}));
  EXPECT_EQ(tokens, (std::vector<Token>{0, 0, 0, 1, 0}));
}

TEST_F(TokenChooserTest, PresenceCountsOnce) {
  sampling_.presence_penalty = 1;
  auto chosen = chooser();
  std::vector<Token> tokens;
  for (int i = 0; i < 4; ++i) tokens.push_back(next(chosen, {1.5f, 1, 0}));
  EXPECT_EQ(tokens, (std::vector<Token>{0, 1, 0, 0}));
}

TEST_F(TokenChooserTest, ABiasDoesNotFreeASuppressedToken) {
  const Tokens suppressed{1};
  ChooserScratch scratch(suppressed);
  sampling_.logit_bias = {{1, 100.0f}};
  auto biased = chooser();
  EXPECT_EQ(biased.choose(std::vector<float>{0, 3, 1}, scratch).value(), 2);
}

TEST_F(TokenChooserTest, DrawsAsTheEngineDoes) {
  sampling_.base.temperature = 1;
  auto chosen = chooser();
  Sampler sampler(suppressed_);
  const AnswerRandom random(1, "key", 0);
  std::vector<float> logits;
  for (int i = 0; i < 50; ++i) logits.push_back(static_cast<float>(i % 7));
  for (std::uint32_t i = 0; i < 20; ++i) {
    EXPECT_EQ(next(chosen, logits), sampler.sample(logits, sampling_.base, random.uniform(i)));
  }
}

// --- Grammar ----------------------------------------------------------------------------------

// The tiny model has a token for each letter: 260 is "a"; 2 ends an answer.
std::unique_ptr<Grammar> grammar(const std::string& text) {
  auto made = Grammar::create(tiny_model(), text);
  if (!made.ok()) ADD_FAILURE() << made.error().to_string();
  return std::move(made).value();
}

constexpr Token kA = 260, kB = 261, kC = 262, kEnd = 2;

TEST(Grammar, AllowsWhatMayComeNext) {
  const auto either = grammar("root ::= \"a\" (\"b\" | \"c\")");
  EXPECT_TRUE(either->allows(kA));
  EXPECT_FALSE(either->allows(kB));
  EXPECT_FALSE(either->allows(kEnd));
  ASSERT_TRUE(either->accept(kA).ok());
  EXPECT_FALSE(either->allows(kA));
  EXPECT_TRUE(either->allows(kB));
  EXPECT_TRUE(either->allows(kC));
  ASSERT_TRUE(either->accept(kC).ok());
  EXPECT_FALSE(either->allows(kC));
  EXPECT_TRUE(either->allows(kEnd));
}

TEST(Grammar, MasksEverythingElse) {
  const auto either = grammar("root ::= \"b\" | \"c\"");
  std::vector<float> logits(tiny_model().n_vocab(), 1);
  ASSERT_TRUE(either->mask(logits).ok());
  std::set<Token> left;
  for (std::size_t id = 0; id < logits.size(); ++id) {
    if (logits[id] == 1) left.insert(static_cast<Token>(id));
  }
  // The bytes 'b' and 'c' are tokens, too: 3 + 0x62 and 3 + 0x63.
  EXPECT_EQ(left, (std::set<Token>{kB, kC, 3 + 'b', 3 + 'c'}));
}

// The tokens of a text, a byte each.
Tokens bytes_of(std::string_view text) {
  Tokens tokens;
  for (const char c : text) tokens.push_back(3 + static_cast<unsigned char>(c));
  return tokens;
}

TEST(Grammar, WaitsForATrigger) {
  auto made = Grammar::create(tiny_model(), "root ::= \"<<\" [0-9]+ \">>\"", {"<<"});
  ASSERT_TRUE(made.ok()) << made.error().to_string();
  Grammar& waiting = **made;
  for (const Token token : bytes_of("a < b <")) {
    EXPECT_TRUE(waiting.waits());
    EXPECT_TRUE(waiting.allows(token));
    EXPECT_TRUE(waiting.allows(kEnd));
    ASSERT_TRUE(waiting.accept(token).ok());
  }
  ASSERT_TRUE(waiting.accept(3 + '<').ok());
  EXPECT_FALSE(waiting.waits());
  EXPECT_FALSE(waiting.allows(kA));
  EXPECT_FALSE(waiting.allows(kEnd));
  for (const Token token : bytes_of("12>>")) {
    EXPECT_TRUE(waiting.allows(token));
    ASSERT_TRUE(waiting.accept(token).ok());
  }
  EXPECT_TRUE(waiting.allows(kEnd));
  EXPECT_FALSE(waiting.allows(3 + 'x'));
}

TEST(Grammar, ATriggerMayLieWithinTokens) {
  // 286 is "word286": the trigger begins and ends inside of such tokens.
  const Token word = 286;
  ASSERT_EQ(tiny_model().text({&word, 1}), "word286");
  auto made = Grammar::create(tiny_model(), "root ::= \"6word2\" \"86\" \"!\"", {"6word2"});
  ASSERT_TRUE(made.ok()) << made.error().to_string();
  ASSERT_TRUE((*made)->accept(word).ok());
  EXPECT_TRUE((*made)->waits());
  ASSERT_TRUE((*made)->accept(word).ok());
  EXPECT_FALSE((*made)->waits());
  EXPECT_TRUE((*made)->allows(3 + '!'));
  EXPECT_FALSE((*made)->allows(kA));
}

TEST(Grammar, WhatDoesNotGoOnAfterATriggerWasNone) {
  const Token word = 286;
  auto made = Grammar::create(tiny_model(), "root ::= \"word\" \"x\"", {"word"});
  ASSERT_TRUE(made.ok()) << made.error().to_string();
  ASSERT_TRUE((*made)->accept(word).ok());
  EXPECT_TRUE((*made)->allows(kA));
  EXPECT_TRUE((*made)->accept(kA).ok());
  EXPECT_TRUE((*made)->allows(kEnd));
}

TEST(Grammar, RefusesWhatTheCheckRefuses) {
  EXPECT_EQ(Grammar::create(tiny_model(), "root ::= other").error().kind,
            ErrorKind::kInvalidArgument);
  EXPECT_EQ(Grammar::create(tiny_model(), "root ::= \"").error().kind, ErrorKind::kInvalidArgument);
}

TEST_F(TokenChooserTest, GreedyTakesTheLikeliestTheGrammarAllows) {
  auto chosen = chooser(grammar("root ::= [bc] \"a\""));
  std::vector<float> logits(tiny_model().n_vocab(), 0);
  logits[kA] = 9;
  logits[kC] = 5;
  logits[kEnd] = 3;
  EXPECT_EQ(next(chosen, logits), kC);
  EXPECT_EQ(next(chosen, logits), kA);
  EXPECT_EQ(chosen.choose(logits, scratch_).value(), kEnd);
}

TEST_F(TokenChooserTest, SamplingDrawsFromWhatTheGrammarAllows) {
  sampling_.base.temperature = 1;
  std::set<Token> drawn;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    TokenChooser chosen(sampling_, grammar("root ::= \"b\" | \"c\""), AnswerRandom(seed, "", 0));
    std::vector<float> logits(tiny_model().n_vocab(), 0);
    logits[kA] = 20;
    drawn.insert(chosen.choose(logits, scratch_).value().value());
  }
  EXPECT_EQ(drawn, (std::set<Token>{kB, kC, 3 + 'b', 3 + 'c'}));
}

// Weights 1 : 3 : 12, of which the grammar allows the first two; then with top-k, which counts what
// is allowed only.
TEST_F(TokenChooserTest, AllowedTokensKeepTheirShares) {
  sampling_.base.temperature = 1;
  std::vector<float> logits(tiny_model().n_vocab(), -100);
  logits.at(kB) = 0;
  logits.at(kC) = std::log(3.0f);
  logits.at(kA) = std::log(12.0f);
  for (const int top_k : {0, 2}) {
    sampling_.base.top_k = top_k;
    constexpr int kDraws = 1200;
    int firsts = 0;
    for (std::uint64_t seed = 0; seed < kDraws; ++seed) {
      TokenChooser chosen(sampling_, grammar("root ::= [bc]"), AnswerRandom(seed, "", 0));
      const Token token = chosen.choose(logits, scratch_).value().value();
      ASSERT_TRUE(token == kB || token == kC);
      firsts += token == kB ? 1 : 0;
    }
    // A quarter, within four standard deviations.
    EXPECT_NEAR(firsts, kDraws / 4, 4 * std::sqrt(kDraws * 0.25 * 0.75)) << top_k;
  }
}

TEST_F(TokenChooserTest, HasNothingLeftWhereTheGrammarAllowsNothing) {
  const Tokens suppressed{3 + 'a', kA};  // sorted
  ChooserScratch scratch(suppressed);
  auto chosen = chooser(grammar("root ::= \"a\""));
  EXPECT_EQ(chosen.choose(std::vector<float>(tiny_model().n_vocab(), 0), scratch).value(),
            std::nullopt);
}

}  // namespace
}  // namespace llmpatch
