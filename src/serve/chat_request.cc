#include "serve/chat_request.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/quote.h"
#include "base/utf8.h"
#include "runtime/tool_schema.h"

namespace llmpatch {
namespace {

constexpr std::size_t kMaxMessages = 1024;
constexpr std::size_t kMaxParts = 1024;
constexpr std::size_t kMaxSchemaBytes = 64 << 10;
constexpr std::size_t kMaxLabelCharacters = 256;
constexpr std::size_t kMaxTools = 128;
constexpr std::size_t kMaxToolBytes = 64 << 10;  // of all their schemas and descriptions
constexpr std::size_t kMaxCalls = 128;           // of one message
constexpr std::size_t kMaxArgumentBytes = 256 << 10;
constexpr std::size_t kMaxIdCharacters = 128;
constexpr const char* kOldCalls = "it is not supported; tools are";

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

bool is_tool_name(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

void read_tool_name(RequestFields& fields, std::string& name) {
  fields.require("name");
  fields.text("name", 64, name);
  if (fields.ok() && !is_tool_name(name)) {
    fields.fail("name", "found " + quote(name) + ", expected letters, digits, _ and -");
  }
}

// Refuses any type but "function", and gives the object of that name.
const Json* take_function(RequestFields& fields) {
  std::string type;
  fields.require("type");
  fields.text("type", 64, type);
  if (fields.ok() && type != "function") {
    fields.fail(make_error(ErrorKind::kUnsupported, fields.path_of("type"),
                           "found " + quote(type) + ", expected \"function\""));
  }
  return fields.require("function");
}

ToolCall read_call(RequestFields& fields) {
  ToolCall call;
  fields.require("id");
  fields.text("id", kMaxIdCharacters, call.id);
  const Json* function = take_function(fields);
  if (function == nullptr) return call;
  RequestFields inner(*function, fields.path_of("function"));
  read_tool_name(inner, call.name);
  inner.require("arguments");
  inner.text("arguments", kMaxArgumentBytes, call.arguments);
  // OpenAI's client sends back what it read the arguments as, beside them.
  inner.take("parsed_arguments");
  // Clients send back what a function without arguments was called with.
  if (call.arguments.empty()) call.arguments = "{}";
  const Result<Json> parsed = parse_json(call.arguments, "arguments");
  if (inner.ok() && (!parsed.ok() || !parsed->is_object())) {
    inner.fail("arguments", "found something else, expected the text of a JSON object");
  }
  finish(fields, inner);
  return call;
}

void read_calls(RequestFields& fields, Message& message) {
  const Json* list = fields.take("tool_calls");
  if (list == nullptr) return;
  if (message.role != "assistant") {
    return fields.fail("tool_calls", "found them in a message of the role " + quote(message.role) +
                                         ", expected \"assistant\"");
  }
  if (!list->is_array() || list->empty() || list->size() > kMaxCalls) {
    return fields.fail("tool_calls", "found " + shown(*list) + ", expected a list of 1 to " +
                                         std::to_string(kMaxCalls) + " calls");
  }
  for (std::size_t i = 0; i < list->size(); ++i) {
    RequestFields call((*list)[i], fields.path_of("tool_calls[" + std::to_string(i) + "]"));
    message.tool_calls.push_back(read_call(call));
    finish(fields, call);
  }
}

// `called` has the names of the functions that were called so far, by the ids of the calls.
void read_result(RequestFields& fields, const std::map<std::string, std::string>& called,
                 Message& message) {
  fields.require("tool_call_id");
  fields.text("tool_call_id", kMaxIdCharacters, message.tool_call_id);
  if (!fields.ok()) return;
  const auto call = called.find(message.tool_call_id);
  if (call == called.end()) {
    return fields.fail("tool_call_id", "found " + quote(message.tool_call_id) +
                                           ", expected the id of a call in a message before");
  }
  message.tool_name = call->second;
}

Message read_message(RequestFields& fields, std::map<std::string, std::string>& called) {
  Message message;
  fields.require("role");
  fields.text("role", 64, message.role);
  if (message.role == "developer") message.role = "system";
  if (message.role == "function") {
    fields.fail(make_error(ErrorKind::kUnsupported, fields.path_of("role"), kOldCalls));
  } else if (message.role != "system" && message.role != "user" && message.role != "assistant" &&
             message.role != "tool") {
    fields.fail("role",
                "found " + quote(message.role) +
                    ", expected \"system\", \"developer\", \"user\", \"assistant\" or \"tool\"");
  }
  read_calls(fields, message);
  if (message.role == "assistant") fields.take("parsed");  // as parsed_arguments, of the content
  for (const ToolCall& call : message.tool_calls) called[call.id] = call.name;
  if (message.role == "tool") read_result(fields, called, message);
  fields.refuse({"function_call"}, kOldCalls);
  fields.refuse({"name", "refusal", "audio"}, "chat templates have no place for it");
  // A message that calls need not say anything.
  const Json* content =
      message.tool_calls.empty() ? fields.require("content") : fields.take("content");
  if (content != nullptr && content->is_array()) {
    read_parts(fields, *content, message.content);
  } else {
    fields.text("content", SIZE_MAX, message.content);
  }
  return message;
}

void read_messages(RequestFields& fields, ChatRequest& request) {
  const Json* list = fields.require("messages");
  if (list == nullptr) return;
  if (!list->is_array() || list->empty() || list->size() > kMaxMessages) {
    return fields.fail("messages", "found " + shown(*list) + ", expected a list of 1 to " +
                                       std::to_string(kMaxMessages) + " messages");
  }
  std::map<std::string, std::string> called;
  for (std::size_t i = 0; i < list->size(); ++i) {
    RequestFields fields_of_it((*list)[i], "messages[" + std::to_string(i) + "]");
    Message message = read_message(fields_of_it, called);
    finish(fields, fields_of_it);
    request.has_tool_messages =
        request.has_tool_messages || message.role == "tool" || !message.tool_calls.empty();
    request.messages.push_back(std::move(message));
  }
}

// `ordered` is the same tool as the client wrote it: the order of its properties is that of calls.
Tool read_tool(RequestFields& fields, const OrderedJson& ordered) {
  Tool tool;
  const Json* function = take_function(fields);
  if (function == nullptr) return tool;
  RequestFields inner(*function, fields.path_of("function"));
  bool strict = false;
  read_tool_name(inner, tool.name);
  inner.text("description", kMaxToolBytes, tool.description);
  inner.boolean("strict", strict);
  const Json* parameters = inner.take("parameters");
  if (parameters != nullptr && !parameters->is_object()) {
    inner.fail("parameters", "found " + shown(*parameters) + ", expected an object");
  }
  finish(fields, inner);
  if (!fields.ok()) return tool;
  tool.parameters = parameters == nullptr || parameters->empty()
                        ? R"({"type":"object","properties":{}})"
                        : ordered["function"]["parameters"].dump();
  Result<std::string> held = tool_arguments_schema(tool.parameters, strict);
  if (!held.ok()) {
    fields.fail(make_error(held.error().kind == ErrorKind::kUnsupported
                               ? ErrorKind::kUnsupported
                               : ErrorKind::kInvalidArgument,
                           fields.path_of("function.parameters"), held.error().message));
    return tool;
  }
  tool.arguments = std::move(*held);
  return tool;
}

void read_tools(RequestFields& fields, std::string_view body, std::vector<Tool>& tools) {
  const Json* list = fields.take("tools");
  if (list == nullptr) return;
  if (!list->is_array() || list->empty() || list->size() > kMaxTools) {
    return fields.fail("tools", "found " + shown(*list) + ", expected a list of 1 to " +
                                    std::to_string(kMaxTools) + " functions");
  }
  const OrderedJson ordered = OrderedJson::parse(body);
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < list->size(); ++i) {
    // Before any of them is worked on.
    bytes += ordered["tools"][i].dump().size();
    if (bytes > kMaxToolBytes) {
      return fields.fail(
          "tools", "found more than " + std::to_string(kMaxToolBytes) + " bytes, expected no more");
    }
  }
  std::set<std::string> names;
  for (std::size_t i = 0; i < list->size() && fields.ok(); ++i) {
    RequestFields tool((*list)[i], "tools[" + std::to_string(i) + "]");
    tools.push_back(read_tool(tool, ordered["tools"][i]));
    finish(fields, tool);
    if (fields.ok() && !names.insert(tools.back().name).second) {
      fields.fail("tools", "found the function " + quote(tools.back().name) + " twice");
    }
  }
}

void read_named_choice(RequestFields& fields, const Json& choice, ToolUse& use) {
  RequestFields inner(choice, "tool_choice");
  if (const Json* function = take_function(inner)) {
    RequestFields named(*function, "tool_choice.function");
    read_tool_name(named, use.only);
    finish(inner, named);
  }
  finish(fields, inner);
  use.must = true;
  const bool is_there = std::any_of(use.tools.begin(), use.tools.end(),
                                    [&](const Tool& tool) { return tool.name == use.only; });
  if (fields.ok() && !is_there) {
    fields.fail("tool_choice", "found the function " + quote(use.only) + ", expected one of tools");
  }
}

void read_tool_use(RequestFields& fields, std::string_view body, ToolUse& use) {
  read_tools(fields, body, use.tools);
  const bool has_tools = !use.tools.empty();
  bool parallel = false;
  if (fields.take("parallel_tool_calls") != nullptr) {
    fields.boolean("parallel_tool_calls", parallel);
    if (has_tools) use.parallel = parallel;
    if (!has_tools && fields.ok()) fields.fail("parallel_tool_calls", "found it without tools");
  }
  const Json* choice = fields.take("tool_choice");
  if (choice == nullptr) return;
  if (*choice == "none") {
    use = {};  // the model is not told of any
  } else if (!has_tools) {
    if (fields.ok()) fields.fail("tool_choice", "found it without tools");
  } else if (choice->is_object()) {
    read_named_choice(fields, *choice, use);
  } else if (*choice == "required") {
    use.must = true;
  } else if (*choice != "auto") {
    fields.fail("tool_choice", "found " + shown(*choice) +
                                   ", expected \"auto\", \"none\", \"required\" or "
                                   "{\"type\": \"function\", \"function\": {\"name\": ...}}");
  }
}

// What calls leave no place for.
void check_beside_tools(RequestFields& fields, const ChatRequest& request) {
  if (request.tools.tools.empty()) return;
  const char* field = !request.schema.empty() ? "response_format"
                      : request.logprobs >= 0 ? "logprobs"
                                              : nullptr;
  if (field == nullptr) return;
  fields.fail(make_error(ErrorKind::kUnsupported, field,
                         "found it beside tools, which it does not go together with"));
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
  named = fields.take("service_tier") != nullptr;
  if (!named) return;
  std::string tier;
  fields.text("service_tier", 64, tier);
  if (tier != "auto" && tier != "default") {
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
  read_messages(fields, request);
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
  read_tool_use(fields, body, request.tools);
  check_beside_tools(fields, request);
  fields.refuse({"functions", "function_call"}, kOldCalls);
  fields.refuse({"audio", "prediction", "reasoning_effort", "verbosity", "web_search_options",
                 "prompt_cache_retention", "moderation"},
                "it is not supported");
  LLMPATCH_TRY(fields.finish());
  return request;
}

}  // namespace llmpatch
