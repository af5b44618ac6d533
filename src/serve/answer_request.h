// What requests for chat answers and for completions have in common. Internal to serve/.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "runtime/serving_engine.h"
#include "serve/request_fields.h"
#include "serve/stack_request.h"

namespace llmpatch {

// What the server lets a request ask for.
struct RequestLimits {
  int max_tokens = 0;          // of one answer; 0: what the context leaves
  std::size_t vocabulary = 0;  // token ids are below it
};

inline constexpr int kMaxChoices = 16;       // `n`
inline constexpr int kMaxAlternatives = 20;  // log-probabilities beside a token's own
inline constexpr std::size_t kMaxStops = 4;
inline constexpr std::size_t kMaxStopCharacters = 256;

struct AnswerRequest {
  std::string model;
  StackRequest stack;
  ServingSampling sampling;  // its base's seed is left to `seed`
  std::optional<std::int64_t> seed;
  int n = 1;
  std::optional<int> max_tokens;
  std::vector<std::string> stop;
  int logprobs = -1;  // as ServingRequest
  bool stream = false, include_usage = false;
  std::string user;  // for the log
};

// Parses a request's body: one JSON object. Errors as RequestFields, kCorrupt with an empty `where`
// for what is no JSON.
Result<Json> parse_body(std::string_view body);

// Reads the fields that both have, all but `max_tokens` and `logprobs`, into `request`.
void read_answer_fields(RequestFields& fields, const RequestLimits& limits, AnswerRequest& request);

// Refuses `count` tokens beyond the limit; `name` is the field that asks for them.
void check_max_tokens(RequestFields& fields, const char* name, const RequestLimits& limits,
                      const std::optional<int>& count);

}  // namespace llmpatch
