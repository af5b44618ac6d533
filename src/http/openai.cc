#include "http/openai.h"

#include <optional>
#include <utility>

#include "base/quote.h"
#include "http/url.h"

namespace llmpatch {
namespace {

constexpr std::size_t kShownBody = 200;
constexpr std::string_view kBlot = "***";

ErrorKind kind_of(int status) {
  switch (status) {
    case 401:
    case 403:
      return ErrorKind::kDenied;
    case 404:
      return ErrorKind::kNotFound;
    case 429:
      return ErrorKind::kLimit;
    default:
      return ErrorKind::kIo;
  }
}

// The member `error` of an error's body.
std::optional<Json> error_in(std::string_view body) {
  const auto parsed = parse_json(body, "error");
  if (!parsed.ok() || !parsed->is_object()) return std::nullopt;
  const auto found = parsed->find("error");
  if (found == parsed->end()) return std::nullopt;
  return *found;
}

// A text member of `object`; empty when there is none.
std::string text_or_empty(const Json& object, const char* key) {
  if (!object.is_object()) return "";
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

std::string without(std::string text, const std::string& secret) {
  for (auto at = text.find(secret); !secret.empty() && at != std::string::npos;
       at = text.find(secret, at + kBlot.size())) {
    text.replace(at, secret.size(), kBlot);
  }
  return text;
}

Error corrupt(std::string_view where, const std::string& message) {
  return make_error(ErrorKind::kCorrupt, "http", std::string(where) + ": " + message);
}

// A member that is text; empty when it is null or not there.
Result<std::string> optional_text(const Json& object, const char* key, std::string_view where) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return std::string();
  return json_string(object, key, where);
}

// The choices of an answer, each with the text that `text_of` finds in it.
template <class TextOf>
Result<std::vector<OpenAiChoice>> read_choices(const Json& answer, std::string_view where,
                                               TextOf text_of) {
  LLMPATCH_ASSIGN(const Json list, json_array(answer, "choices", where));
  if (list.empty()) return corrupt(where, "choices: found none, expected one");
  std::vector<OpenAiChoice> choices;
  for (const Json& item : list) {
    if (!item.is_object()) {
      return corrupt(where,
                     std::string("choices: found ") + item.type_name() + ", expected an object");
    }
    OpenAiChoice choice;
    LLMPATCH_ASSIGN(choice.text, text_of(item));
    LLMPATCH_TRY(optional_text(item, "finish_reason", where));
    choice.complete = item.value("finish_reason", Json()) == "stop";
    choices.push_back(std::move(choice));
  }
  return choices;
}

}  // namespace

Result<std::string> openai_url(std::string url) {
  const bool scheme = url.starts_with("http://") || url.starts_with("https://");
  const auto behind = scheme ? url.find("//") + 2 : 0;
  const bool user = url.substr(0, url.find('/', behind)).find('@') != std::string::npos;
  if (!scheme || user || url.find_first_of("?#") != std::string::npos || !parse_url(url).ok()) {
    return make_error(ErrorKind::kInvalidArgument, "http",
                      "address of an API: found another form, expected http:// or https://, a host "
                      "and a path, without user, password, query or fragment",
                      "such as https://host/v1");
  }
  while (url.ends_with('/')) url.pop_back();
  return url;
}

std::string openai_error_text(std::string_view body) {
  std::string text;
  if (const auto error = error_in(body)) {
    text = error->is_string() ? error->get<std::string>() : text_or_empty(*error, "message");
  }
  return quote(text.empty() ? body : std::string_view(text), kShownBody);
}

std::string openai_error_code(std::string_view body) {
  const auto error = error_in(body);
  return error ? text_or_empty(*error, "code") : "";
}

Result<OpenAiClient> OpenAiClient::create(OpenAiServer server, HttpOptions options,
                                          std::string room, std::string name) {
  options.plain_http = server.url.starts_with("http://");
  LLMPATCH_ASSIGN(HttpClient client, HttpClient::create(std::move(options)));
  return OpenAiClient(std::move(server), std::move(client), std::move(room), std::move(name));
}

Result<HttpAnswer> OpenAiClient::post(const std::string& path, const Json& body,
                                      std::uint64_t max_answer) {
  const std::string text = json_line(body);
  HttpRequest request;
  request.method = "POST";
  request.url = server_.url + path;
  request.headers = {"Content-Type: application/json"};
  if (!server_.key.empty()) request.authorization = "Bearer " + server_.key;
  request.body = text;
  request.max_answer = max_answer;
  return client_.send(request);
}

Result<Json> OpenAiClient::read(const HttpAnswer& answer) const {
  if (answer.status == 200) return parse_json(answer.body, where());
  return make_error(
      kind_of(answer.status), room_,
      where() + ": found status " + std::to_string(answer.status) + ", expected 200; it said " +
          openai_error_text(without(answer.body, server_.key)),
      answer.status == 404 ? "the URL is where the API begins, such as https://host/v1" : "");
}

Result<std::vector<OpenAiChoice>> openai_chat_choices(const Json& answer, std::string_view where) {
  return read_choices(answer, where, [&](const Json& choice) -> Result<std::string> {
    LLMPATCH_ASSIGN(const Json message, json_object(choice, "message", where));
    LLMPATCH_ASSIGN(std::string content, optional_text(message, "content", where));
    return content.empty() ? optional_text(message, "refusal", where) : std::move(content);
  });
}

Result<std::vector<OpenAiChoice>> openai_text_choices(const Json& answer, std::string_view where) {
  return read_choices(answer, where,
                      [&](const Json& choice) { return json_string(choice, "text", where); });
}

}  // namespace llmpatch
