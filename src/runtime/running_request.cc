#include "runtime/running_request.h"

#include <algorithm>
#include <utility>

#include "runtime/logprobs.h"
#include "runtime/random.h"

namespace llmpatch {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

ServingUsage usage_of(const ServingJob& job) {
  ServingUsage usage;
  usage.prompt_tokens = static_cast<int>(job.request.prompt.size());
  usage.prefix_rows = static_cast<int>(job.stack->rows);
  usage.queued_seconds = seconds_since(job.submitted);
  return usage;
}

AnswerRandom random_of(const ServingRequest& request) {
  const Sampling& sampling = request.sampling.base;
  return AnswerRandom(sampling.seed,
                      request.random_key.empty() ? random_key(request.prompt) : request.random_key,
                      sampling.sample);
}

}  // namespace

RunningRequest::RunningRequest(std::unique_ptr<ServingJob> job, OpenSequence opened)
    : sequence(std::move(opened)),
      decoded(sequence.tokens.size()),
      job_(std::move(job)),
      chooser_(job_->request.sampling, std::move(job_->grammar), random_of(job_->request)),
      stream_(job_->request.stop),
      usage_(usage_of(*job_)) {
  count_cached(decoded);
  if (job_->request.prompt_logprobs) prompt_logprobs_.push_back({prompt().front(), 0, {}});
}

std::size_t RunningRequest::prompt_left() const {
  return prompt().size() - std::min(prompt().size(), sequence.tokens.size());
}

Token RunningRequest::next() const {
  return prompt_left() > 0 ? prompt()[sequence.tokens.size()] : last_;
}

bool RunningRequest::wants_logits() const {
  return prompt_left() <= 1 || job_->request.prompt_logprobs;
}

bool RunningRequest::give(std::size_t index, std::span<const float> logits, const Model& model,
                          ChooserScratch& scratch) {
  const ServingRequest& request = job_->request;
  if (index + 1 < prompt().size()) {
    prompt_logprobs_.push_back(
        token_logprob(logits, prompt()[index + 1], std::max(request.logprobs, 0)));
    return false;
  }
  const Result<std::optional<Token>> chosen = chooser_.choose(logits, scratch);
  if (!chosen.ok()) {
    end(ServingEnd::kFailed, chosen.error());
    return false;
  }
  const std::optional<Token> token = *chosen;
  if (usage_.first_token_seconds == 0) {
    usage_.first_token_seconds = seconds_since(job_->submitted);
  }
  if (!token || model.is_end(*token)) {
    end(ServingEnd::kStop);
    return false;
  }
  ++usage_.completion_tokens;
  std::optional<TokenLogprob> logprob;
  if (request.logprobs >= 0) logprob = token_logprob(logits, *token, request.logprobs);
  const Tokens& markers = request.sampling.markers;
  const bool is_marker = std::find(markers.begin(), markers.end(), *token) != markers.end();
  send(stream_.push(model.text({&*token, 1}, is_marker), std::move(logprob)));
  last_ = *token;
  const Status accepted = chooser_.accept(*token);
  if (!accepted.ok()) {
    end(ServingEnd::kFailed, accepted.error());
  } else if (stream_.stopped()) {
    end(ServingEnd::kStop);
  } else if (static_cast<std::size_t>(usage_.completion_tokens) == job_->max_tokens) {
    end(ServingEnd::kLength);
  }
  return true;
}

void RunningRequest::send(const AnswerStream::Piece& piece) {
  if (piece.text.empty() && piece.logprobs.empty()) return;
  if (job_->sink.on_chunk) job_->sink.on_chunk({piece.text, piece.logprobs});
}

void RunningRequest::end(ServingEnd how, std::optional<Error> error) {
  if (ended_) return;
  ended_ = true;
  send(stream_.finish());
  ServingResult result;
  result.end = how;
  result.usage = usage_;
  result.prompt_logprobs = std::move(prompt_logprobs_);
  result.error = std::move(error);
  if (job_->sink.on_end) job_->sink.on_end(result);
}

void end_waiting(const ServingJob& job, ServingEnd how, std::optional<Error> error) {
  ServingResult result;
  result.end = how;
  result.usage = usage_of(job);
  result.error = std::move(error);
  if (job.sink.on_end) job.sink.on_end(result);
}

}  // namespace llmpatch
