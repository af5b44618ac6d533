// A request that has its sequence: from the first prompt token to the last of its answer.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>

#include "runtime/answer_stream.h"
#include "runtime/cache_pool.h"
#include "runtime/serving_engine.h"
#include "runtime/serving_job.h"
#include "runtime/token_chooser.h"

namespace llmpatch {

// Not thread-safe; calls the request's sink.
class RunningRequest {
 public:
  RunningRequest(std::unique_ptr<ServingJob> job, OpenSequence sequence);

  const ServingJob& job() const { return *job_; }
  const Tokens& prompt() const { return job_->request.prompt; }
  // Prompt tokens that are not in the sequence yet.
  std::size_t prompt_left() const;
  // The token to decode next: of the prompt, then of the answer.
  Token next() const;
  // Whether the logits behind the next token are wanted.
  bool wants_logits() const;

  // The logits of the token at `index` of prompt and answer, decoded just now. Those behind the
  // prompt give the next token of the answer: true if one was added.
  bool give(std::size_t index, std::span<const float> logits, const Model& model,
            ChooserScratch& scratch);
  // Counts prompt tokens that were copied.
  void count_cached(std::size_t tokens) { usage_.cached_tokens += static_cast<int>(tokens); }

  // Sends what was held back, then the result; nothing after the first call.
  void end(ServingEnd how, std::optional<Error> error = std::nullopt);
  bool ended() const { return ended_; }

  OpenSequence sequence;
  std::size_t decoded = 0;  // tokens of the sequence whose cells are filled
  bool started = false;     // whether it has decoded tokens itself

 private:
  void send(const AnswerStream::Piece& piece);

  std::unique_ptr<ServingJob> job_;
  TokenChooser chooser_;
  AnswerStream stream_;
  ServingUsage usage_;
  std::vector<TokenLogprob> prompt_logprobs_;
  Token last_ = -1;  // of the answer, not decoded yet
  bool ended_ = false;
};

// Tells the sink of a request that never ran.
void end_waiting(const ServingJob& job, ServingEnd how, std::optional<Error> error = std::nullopt);

}  // namespace llmpatch
