#include "serve/answer_request.h"

#include <charconv>

#include "base/quote.h"
#include "base/utf8.h"

namespace llmpatch {
namespace {

constexpr std::size_t kMaxBiases = 1024;
constexpr std::size_t kMaxModelCharacters = 1024;
constexpr std::size_t kMaxUserCharacters = 256;

void read_stop(RequestFields& fields, std::vector<std::string>& stop) {
  const Json* found = fields.take("stop");
  if (found == nullptr) return;
  const Json list = found->is_string() ? Json::array({*found}) : *found;
  if (!list.is_array() || list.size() > kMaxStops) {
    return fields.fail("stop", "found " + shown(*found) + ", expected a text or up to " +
                                   std::to_string(kMaxStops));
  }
  for (const Json& item : list) {
    const std::size_t length =
        item.is_string() ? count_characters(item.get_ref<const std::string&>()) : 0;
    if (length == 0 || length > kMaxStopCharacters) {
      return fields.fail("stop", "found " + shown(item) + ", expected a text of 1 to " +
                                     std::to_string(kMaxStopCharacters) + " characters");
    }
    stop.push_back(item.get<std::string>());
  }
}

void read_logit_bias(RequestFields& fields, std::size_t vocabulary,
                     std::map<Token, float>& biases) {
  const Json* found = fields.take("logit_bias");
  if (found == nullptr) return;
  if (!found->is_object() || found->size() > kMaxBiases) {
    return fields.fail("logit_bias", "found " + shown(*found) + ", expected an object of up to " +
                                         std::to_string(kMaxBiases) + " token ids");
  }
  for (const auto& [key, value] : found->items()) {
    Token token = -1;
    const auto [end, code] = std::from_chars(key.data(), key.data() + key.size(), token);
    if (code != std::errc() || end != key.data() + key.size() || token < 0 ||
        static_cast<std::size_t>(token) >= vocabulary) {
      return fields.fail("logit_bias", "found " + quote(key) + ", expected token ids below " +
                                           std::to_string(vocabulary));
    }
    if (!value.is_number() || value.get<double>() < -100 || value.get<double>() > 100) {
      return fields.fail("logit_bias",
                         "found " + shown(value) + ", expected numbers from -100 to 100");
    }
    biases[token] = value.get<float>();
  }
}

void read_patches(RequestFields& fields, StackRequest& stack) {
  if (fields.take("patches") != nullptr) {
    std::vector<std::string> names;
    fields.texts("patches", kMaxStack, names);
    stack.patches.emplace();
    for (const std::string& name : names) {
      Result<Requirement> reference = parse_patch_reference(name);
      if (!reference.ok()) return fields.fail(std::move(reference).error());
      stack.patches->push_back(std::move(*reference));
    }
  }
  if (fields.take("compose") == nullptr) return;
  std::string compose;
  fields.text("compose", 64, compose);
  const Result<Compose> parsed = parse_compose(compose);
  if (!parsed.ok()) {
    return fields.fail("compose",
                       "found " + quote(compose) + ", expected \"sequential\" or \"parallel\"");
  }
  stack.compose = *parsed;
}

void read_stream(RequestFields& fields, AnswerRequest& request) {
  fields.boolean("stream", request.stream);
  const Json* options = fields.take("stream_options");
  if (options == nullptr) return;
  if (!request.stream) {
    return fields.fail("stream_options", "found it without \"stream\": true");
  }
  RequestFields inner(*options, "stream_options");
  inner.boolean("include_usage", request.include_usage);
  inner.accept_only("include_obfuscation", false);
  if (Status status = inner.finish(); !status.ok()) fields.fail(std::move(status).error());
}

}  // namespace

Result<Json> parse_body(std::string_view body) {
  Result<Json> parsed = parse_json(body, "body");
  if (!parsed.ok()) {
    return make_error(ErrorKind::kCorrupt, "", parsed.error().message);
  }
  if (!parsed->is_object()) {
    return bad_field("", "body: found " + shown(*parsed) + ", expected an object");
  }
  return parsed;
}

void read_answer_fields(RequestFields& fields, const RequestLimits& limits,
                        AnswerRequest& request) {
  fields.require("model");
  fields.text("model", kMaxModelCharacters, request.model);
  read_patches(fields, request.stack);
  ServingSampling& sampling = request.sampling;
  fields.number("temperature", 0, 2, sampling.base.temperature);
  fields.number("top_p", 0, 1, sampling.base.top_p);
  if (sampling.base.top_p <= 0) fields.fail("top_p", "found 0, expected more");
  fields.integer("top_k", 0, static_cast<std::int64_t>(limits.vocabulary), sampling.base.top_k);
  fields.number("min_p", 0, 1, sampling.min_p);
  fields.number("presence_penalty", -2, 2, sampling.presence_penalty);
  fields.number("frequency_penalty", -2, 2, sampling.frequency_penalty);
  read_logit_bias(fields, limits.vocabulary, sampling.logit_bias);
  fields.integer("seed", INT64_MIN, INT64_MAX, request.seed);
  fields.integer("n", 1, kMaxChoices, request.n);
  read_stop(fields, request.stop);
  read_stream(fields, request);
  fields.text("user", kMaxUserCharacters, request.user);
}

void check_max_tokens(RequestFields& fields, const char* name, const RequestLimits& limits,
                      const std::optional<int>& count) {
  if (!count || limits.max_tokens == 0 || *count <= limits.max_tokens) return;
  fields.fail(name, "found " + std::to_string(*count) + ", expected at most " +
                        std::to_string(limits.max_tokens) + ", the server's limit");
}

}  // namespace llmpatch
