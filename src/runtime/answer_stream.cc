#include "runtime/answer_stream.h"

namespace llmpatch {

AnswerStream::Piece AnswerStream::piece(const std::string& characters) {
  Piece piece;
  piece.text = stop_.push(characters);
  sent_ += piece.text.size();
  while (!held_.empty() && held_.front().begin < sent_) {
    piece.logprobs.push_back(std::move(held_.front().logprob));
    held_.pop_front();
  }
  if (stopped()) held_.clear();
  return piece;
}

AnswerStream::Piece AnswerStream::push(std::string_view text, std::optional<TokenLogprob> logprob) {
  if (logprob) held_.push_back({received_, std::move(*logprob)});
  received_ += text.size();
  return piece(characters_.push(text));
}

AnswerStream::Piece AnswerStream::finish() {
  Piece last = piece(characters_.finish());
  if (stopped()) return last;
  last.text += stop_.finish();
  for (Held& held : held_) last.logprobs.push_back(std::move(held.logprob));
  held_.clear();
  return last;
}

}  // namespace llmpatch
