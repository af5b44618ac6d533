#include "runtime/serving_job.h"

#include <algorithm>
#include <string>
#include <utility>

namespace llmpatch {
namespace {

constexpr int kMaxLogprobs = 20;
constexpr std::size_t kMaxStops = 64;
constexpr std::size_t kMaxStopBytes = 1024;

Error invalid(const std::string& message, const std::string& hint = "") {
  return make_error(ErrorKind::kInvalidArgument, "runtime", message, hint);
}

Status check_range(const char* name, double value, double least, double most) {
  if (value >= least && value <= most) return {};  // false for NaN
  return invalid(std::string(name) + ": found " + std::to_string(value) + ", expected " +
                 std::to_string(least) + " to " + std::to_string(most));
}

Status check_token(const char* name, Token token, const Model& model) {
  if (token >= 0 && static_cast<std::size_t>(token) < model.n_vocab()) return {};
  return invalid(std::string(name) + ": found token " + std::to_string(token) +
                 ", expected one of the vocabulary");
}

Status check_sampling(const ServingSampling& sampling, const Model& model) {
  constexpr double kLarge = 1e6;
  LLMPATCH_TRY(check_range("temperature", sampling.base.temperature, 0, kLarge));
  LLMPATCH_TRY(check_range("top_p", sampling.base.top_p, 0, 1));
  LLMPATCH_TRY(check_range("top_k", sampling.base.top_k, 0, 1e9));
  LLMPATCH_TRY(check_range("min_p", sampling.min_p, 0, 1));
  LLMPATCH_TRY(check_range("presence_penalty", sampling.presence_penalty, -kLarge, kLarge));
  LLMPATCH_TRY(check_range("frequency_penalty", sampling.frequency_penalty, -kLarge, kLarge));
  for (const auto& [token, bias] : sampling.logit_bias) {
    LLMPATCH_TRY(check_token("logit_bias", token, model));
    LLMPATCH_TRY(check_range("logit_bias", bias, -kLarge, kLarge));
  }
  for (const Token token : sampling.markers) LLMPATCH_TRY(check_token("markers", token, model));
  for (const std::string& trigger : sampling.grammar_triggers) {
    if (trigger.empty()) return invalid("grammar triggers: found an empty text, expected none");
  }
  return {};
}

Status check_stops(const std::vector<std::string>& stops) {
  if (stops.size() > kMaxStops) {
    return invalid("stop: found " + std::to_string(stops.size()) + " texts, expected at most " +
                   std::to_string(kMaxStops));
  }
  for (const std::string& stop : stops) {
    if (stop.empty() || stop.size() > kMaxStopBytes) {
      return invalid("stop: found a text of " + std::to_string(stop.size()) +
                     " bytes, expected 1 to " + std::to_string(kMaxStopBytes));
    }
  }
  return {};
}

}  // namespace

Status check_request(const ServingRequest& request, const Model& model,
                     const ServingLimits& limits) {
  if (request.prompt.empty()) return invalid("prompt: found none, expected at least one token");
  for (const Token token : request.prompt) LLMPATCH_TRY(check_token("prompt", token, model));
  if (request.prompt.size() >= limits.context) {
    return invalid("prompt: found " + std::to_string(request.prompt.size()) +
                       " tokens, expected fewer than the context of " +
                       std::to_string(limits.context),
                   "shorten the prompt or raise the context");
  }
  if (request.max_tokens < 0) {
    return invalid("max_tokens: found " + std::to_string(request.max_tokens) +
                   ", expected 0 or more");
  }
  LLMPATCH_TRY(check_range("logprobs", request.logprobs, -1, kMaxLogprobs));
  LLMPATCH_TRY(check_sampling(request.sampling, model));
  return check_stops(request.stop);
}

Result<std::unique_ptr<ServingJob>> make_job(ServingRequest request, ServingSink sink,
                                             std::shared_ptr<const PrefixStack> stack,
                                             const Model& model, const ServingLimits& limits) {
  const std::size_t taken = stack->rows + request.prompt.size();
  if (taken > limits.cells || stack->parts.size() > limits.parts) {
    return make_error(ErrorKind::kLimit, "runtime",
                      "stack and prompt: need " + std::to_string(taken) + " cells and " +
                          std::to_string(stack->parts.size()) + " parallel prefixes of " +
                          std::to_string(limits.cells) + " and " + std::to_string(limits.parts),
                      "use fewer prefixes or give the cache more tokens");
  }
  auto job = std::make_unique<ServingJob>();
  // The last token of an answer needs no cell.
  job->max_tokens = std::min(limits.context - request.prompt.size(), limits.cells - taken + 1);
  if (request.max_tokens > 0) {
    job->max_tokens = std::min(job->max_tokens, static_cast<std::size_t>(request.max_tokens));
  }
  if (!request.sampling.grammar.empty()) {
    LLMPATCH_ASSIGN(job->grammar, Grammar::create(model, request.sampling.grammar,
                                                  request.sampling.grammar_triggers));
  }
  job->request = std::move(request);
  job->sink = std::move(sink);
  job->stack = std::move(stack);
  job->submitted = std::chrono::steady_clock::now();
  return job;
}

}  // namespace llmpatch
