// Turns the tokens of an answer into the pieces that are sent: whole characters, no stop text, and
// the log-probabilities of the tokens they came from.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/serving_engine.h"
#include "runtime/stop_matcher.h"
#include "runtime/text_stream.h"

namespace llmpatch {

class AnswerStream {
 public:
  struct Piece {
    std::string text;
    std::vector<TokenLogprob> logprobs;
  };

  explicit AnswerStream(std::vector<std::string> stop) : stop_(std::move(stop)) {}

  // Takes a token's text and returns what can be sent. A token's log-probability comes with the
  // first of its text; a stop text and the tokens that begin in it are left out.
  Piece push(std::string_view text, std::optional<TokenLogprob> logprob);
  // What was held back, when no more tokens come.
  Piece finish();

  bool stopped() const { return stop_.found(); }

 private:
  struct Held {
    std::size_t begin;  // of the token's text in the answer
    TokenLogprob logprob;
  };
  Piece piece(const std::string& characters);

  TextStream characters_;
  StopMatcher stop_;
  std::deque<Held> held_;
  std::size_t received_ = 0, sent_ = 0;  // bytes
};

}  // namespace llmpatch
