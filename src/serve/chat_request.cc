#include "serve/chat_request.h"

#include "base/quote.h"
#include "base/utf8.h"

namespace llmpatch {
namespace {

constexpr std::size_t kMaxMessages = 1024;
constexpr std::size_t kMaxParts = 1024;
constexpr std::size_t kMaxSchemaBytes = 64 << 10;
constexpr std::size_t kMaxLabelCharacters = 256;
constexpr const char* kNoTools = "tools are not supported";

// Takes the errors of an object within the body along.
void finish(RequestFields& outer, RequestFields& inner) {
  if (Status status = inner.finish(); !status.ok()) outer.fail(std::move(status).error());
}

void read_parts(RequestFields& fields, const Json& parts, std::string& text) {
  if (parts.empty() || parts.size() > kMaxParts) {
    return fields.fail("content", "found " + std::to_string(parts.size()) +
                                      " parts, expected 1 to " + std::to_string(kMaxParts));
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    RequestFields part(parts[i], fields.path_of("content[" + std::to_string(i) + "]"));
    std::string type, piece;
    part.require("type");
    part.text("type", 64, type);
    if (part.ok() && type != "text") {
      part.fail(
          make_error(ErrorKind::kUnsupported, part.path_of("type"),
                     "found " + quote(type) + ", expected \"text\": the model reads text alone"));
    }
    part.require("text");
    part.text("text", SIZE_MAX, piece);
    finish(fields, part);
    text += piece;
  }
}

Message read_message(RequestFields& fields) {
  Message message;
  fields.require("role");
  fields.text("role", 64, message.role);
  if (message.role == "developer") message.role = "system";
  if (message.role == "tool" || message.role == "function") {
    fields.fail(make_error(ErrorKind::kUnsupported, fields.path_of("role"), kNoTools));
  } else if (message.role != "system" && message.role != "user" && message.role != "assistant") {
    fields.fail("role", "found " + quote(message.role) +
                            ", expected \"system\", \"developer\", \"user\" or \"assistant\"");
  }
  fields.refuse({"tool_calls", "tool_call_id", "function_call"}, kNoTools);
  fields.refuse({"name", "refusal", "audio"}, "chat templates have no place for it");
  const Json* content = fields.require("content");
  if (content != nullptr && content->is_array()) {
    read_parts(fields, *content, message.content);
  } else {
    fields.text("content", SIZE_MAX, message.content);
  }
  return message;
}

void read_messages(RequestFields& fields, std::vector<Message>& messages) {
  const Json* list = fields.require("messages");
  if (list == nullptr) return;
  if (!list->is_array() || list->empty() || list->size() > kMaxMessages) {
    return fields.fail("messages", "found " + shown(*list) + ", expected a list of 1 to " +
                                       std::to_string(kMaxMessages) + " messages");
  }
  for (std::size_t i = 0; i < list->size(); ++i) {
    RequestFields message((*list)[i], "messages[" + std::to_string(i) + "]");
    messages.push_back(read_message(message));
    finish(fields, message);
  }
}

void read_max_tokens(RequestFields& fields, const RequestLimits& limits, ChatRequest& request) {
  std::optional<int> older;
  fields.integer("max_completion_tokens", 1, INT32_MAX, request.max_tokens);
  fields.integer("max_tokens", 1, INT32_MAX, older);
  check_max_tokens(fields, "max_completion_tokens", limits, request.max_tokens);
  check_max_tokens(fields, "max_tokens", limits, older);
  if (request.max_tokens && older) {
    return fields.fail("max_tokens", "found it beside max_completion_tokens, expected one of them");
  }
  if (older) request.max_tokens = older;
}

void read_logprobs(RequestFields& fields, ChatRequest& request) {
  bool wanted = false;
  std::optional<int> alternatives;
  fields.boolean("logprobs", wanted);
  fields.integer("top_logprobs", 0, kMaxAlternatives, alternatives);
  if (alternatives && !wanted) {
    return fields.fail("top_logprobs", "found it without \"logprobs\": true");
  }
  if (wanted) request.logprobs = alternatives.value_or(0);
}

// The schema as the client wrote it: the order of its properties is that of the answer.
std::string ordered_schema(std::string_view body) {
  return OrderedJson::parse(body)["response_format"]["json_schema"]["schema"].dump();
}

void read_json_schema(RequestFields& fields, std::string_view body, std::string& schema) {
  const Json* described = fields.require("json_schema");
  if (described == nullptr) return;
  RequestFields inner(*described, "response_format.json_schema");
  std::string name, description;
  bool strict = false;
  inner.require("name");
  inner.text("name", 64, name);
  inner.text("description", 4096, description);
  inner.boolean("strict", strict);
  const Json* given = inner.take("schema");
  if (given != nullptr && !given->is_object()) {
    inner.fail("schema", "found " + shown(*given) + ", expected an object");
  }
  finish(fields, inner);
  if (!fields.ok()) return;
  schema = given == nullptr ? R"({"type": "object"})" : ordered_schema(body);
  if (schema.size() > kMaxSchemaBytes) {
    fields.fail("json_schema", "found a schema of " + std::to_string(schema.size()) +
                                   " bytes, expected at most " + std::to_string(kMaxSchemaBytes));
  }
}

void read_response_format(RequestFields& fields, std::string_view body, std::string& schema) {
  const Json* found = fields.take("response_format");
  if (found == nullptr) return;
  RequestFields inner(*found, "response_format");
  std::string type;
  inner.require("type");
  inner.text("type", 64, type);
  if (type == "json_schema") {
    read_json_schema(inner, body, schema);
  } else if (type == "json_object") {
    schema = R"({"type": "object"})";
  } else if (inner.ok() && type != "text") {
    inner.fail("type",
               "found " + quote(type) + ", expected \"text\", \"json_object\" or \"json_schema\"");
  }
  finish(fields, inner);
}

void read_metadata(RequestFields& fields, Json& metadata) {
  const Json* found = fields.take("metadata");
  if (found == nullptr) return;
  bool fits = found->is_object() && found->size() <= 16;
  if (fits) {
    for (const auto& [key, value] : found->items()) {
      fits = fits && count_characters(key) <= 64 && value.is_string() &&
             count_characters(value.get_ref<const std::string&>()) <= 512;
    }
  }
  if (!fits) {
    return fields.fail("metadata",
                       "found something else, expected an object of up to 16 texts (of "
                       "up to 512 characters, under names of up to 64)");
  }
  metadata = *found;
}

void read_service_tier(RequestFields& fields, bool& named) {
  std::string tier;
  fields.text("service_tier", 64, tier);
  named = !tier.empty();
  if (named && tier != "auto" && tier != "default") {
    fields.fail(make_error(ErrorKind::kUnsupported, "service_tier",
                           "found " + quote(tier) + ", expected \"auto\" or \"default\""));
  }
}

}  // namespace

Result<ChatRequest> parse_chat_request(std::string_view body, const RequestLimits& limits) {
  LLMPATCH_ASSIGN(const Json object, parse_body(body));
  RequestFields fields(object, "");
  ChatRequest request;
  read_answer_fields(fields, limits, request);
  read_messages(fields, request.messages);
  read_max_tokens(fields, limits, request);
  read_logprobs(fields, request);
  read_response_format(fields, body, request.schema);
  read_metadata(fields, request.metadata);
  read_service_tier(fields, request.names_tier);
  fields.text("safety_identifier", kMaxLabelCharacters, request.safety_identifier);
  std::string cache_key;  // prompts share what they have in common without it
  fields.text("prompt_cache_key", kMaxLabelCharacters, cache_key);
  fields.accept_only("store", false);
  fields.accept_only("modalities", Json::array({"text"}));
  fields.accept_only("tool_choice", "none");
  fields.refuse({"tools", "parallel_tool_calls", "functions", "function_call"}, kNoTools);
  fields.refuse({"audio", "prediction", "reasoning_effort", "verbosity", "web_search_options",
                 "prompt_cache_retention", "moderation"},
                "it is not supported");
  LLMPATCH_TRY(fields.finish());
  return request;
}

}  // namespace llmpatch
