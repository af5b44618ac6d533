#include "serve/completion_request.h"

#include <algorithm>

namespace llmpatch {
namespace {

constexpr std::size_t kMaxPrompts = 32;
constexpr std::size_t kMaxAnswers = 64;
constexpr int kDefaultTokens = 16;

bool is_token(const Json& item, std::size_t vocabulary) {
  return item.is_number_unsigned() && item.get<std::uint64_t>() < vocabulary;
}

bool is_tokens(const Json& list, std::size_t vocabulary) {
  return list.is_array() && !list.empty() &&
         std::all_of(list.begin(), list.end(),
                     [&](const Json& item) { return is_token(item, vocabulary); });
}

// The first item of a list that is no token; there is one.
const Json& no_token(const Json& list, std::size_t vocabulary) {
  return *std::find_if_not(list.begin(), list.end(),
                           [&](const Json& item) { return is_token(item, vocabulary); });
}

void read_prompts(RequestFields& fields, std::size_t vocabulary, CompletionRequest& request) {
  const Json* found = fields.require("prompt");
  if (found == nullptr) return;
  const bool is_one = found->is_string() || is_tokens(*found, vocabulary);
  const Json list = is_one ? Json::array({*found}) : *found;
  if (!list.is_array() || list.empty()) {
    return fields.fail("prompt", "found " + shown(*found) +
                                     ", expected a text, a list of token ids, or a list of these");
  }
  const auto refuse = [&](const Json& item) {
    fields.fail("prompt", "found " + shown(item) + " in it, expected texts, or token ids below " +
                              std::to_string(vocabulary));
  };
  // Of ids with something else among them, that is what is wrong.
  if (list.front().is_number()) return refuse(no_token(list, vocabulary));
  if (list.size() > kMaxPrompts) {
    return fields.fail("prompt", "found " + std::to_string(list.size()) +
                                     " prompts, expected at most " + std::to_string(kMaxPrompts));
  }
  for (const Json& item : list) {
    if (item.is_string()) {
      request.prompts.emplace_back(item.get<std::string>());
    } else if (is_tokens(item, vocabulary)) {
      request.prompts.emplace_back(item.get<Tokens>());
    } else {
      return refuse(item.is_array() && !item.empty() ? no_token(item, vocabulary) : item);
    }
  }
}

}  // namespace

Result<CompletionRequest> parse_completion_request(std::string_view body,
                                                   const RequestLimits& limits) {
  LLMPATCH_ASSIGN(const Json object, parse_body(body));
  RequestFields fields(object, "");
  CompletionRequest request;
  read_answer_fields(fields, limits, request);
  read_prompts(fields, limits.vocabulary, request);
  fields.boolean("echo", request.echo);
  fields.integer("max_tokens", 0, INT32_MAX, request.max_tokens);
  check_max_tokens(fields, "max_tokens", limits, request.max_tokens);
  if (!request.max_tokens) {
    request.max_tokens =
        limits.max_tokens == 0 ? kDefaultTokens : std::min(kDefaultTokens, limits.max_tokens);
  }
  if (*request.max_tokens == 0 && !request.echo) {
    fields.fail("max_tokens", "found 0 without \"echo\": true, expected at least 1");
  }
  fields.integer("logprobs", 0, kMaxAlternatives, request.logprobs);
  if (request.echo && request.stream && request.logprobs >= 0) {
    fields.fail(
        make_error(ErrorKind::kUnsupported, "stream",
                   "found it beside echo and logprobs: those of the prompt are known at the "
                   "end alone"));
  }
  fields.accept_only("best_of", request.n);
  fields.accept_only("suffix", "");
  if (request.prompts.size() * static_cast<std::size_t>(request.n) > kMaxAnswers) {
    fields.fail("n", "found " + std::to_string(request.prompts.size()) + " prompts, " +
                         std::to_string(request.n) + " answers each, expected at most " +
                         std::to_string(kMaxAnswers) + " answers in all");
  }
  LLMPATCH_TRY(fields.finish());
  return request;
}

}  // namespace llmpatch
