// OpenAI-compatible servers: addresses, requests, errors, and the answers of their models.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "http/client.h"

namespace llmpatch {

// A model behind such an API.
struct OpenAiServer {
  std::string url;    // where the API begins, as openai_url() gives it
  std::string model;  // its name there
  std::string key;    // sent as bearer token; empty: none. In no message
};

// `url` ("https://host/v1") without slashes at its end. kInvalidArgument: not http or https, or
// with a user, a password, a query or a fragment. Those may be secrets: the message shows none of
// the URL.
Result<std::string> openai_url(std::string url);

// What an error's body says, quoted on one line: the message of OpenAI's form (`error.message`, or
// `error` as text), otherwise the body as it is, cut.
std::string openai_error_text(std::string_view body);

// `code` of an error of that form; empty when there is none.
std::string openai_error_code(std::string_view body);

// Not thread-safe; movable.
class OpenAiClient {
 public:
  // Errors begin "[room] name (URL): ". http:// is spoken where the URL says so, and by
  // `options.plain_http`'s rule to this machine only. Errors of HttpClient::create.
  static Result<OpenAiClient> create(OpenAiServer server, HttpOptions options, std::string room,
                                     std::string name);

  // POSTs `body` to the URL with `path` ("/chat/completions") behind it. Any status is an answer.
  // Errors of HttpClient::send.
  Result<HttpAnswer> post(const std::string& path, const Json& body, std::uint64_t max_answer);

  // What an answer with status 200 holds. By the status of another one: kDenied (401, 403),
  // kNotFound (404), kLimit (429) or kIo, with what the server says and the key, should it say
  // that, blotted out; kCorrupt: no JSON.
  Result<Json> read(const HttpAnswer& answer) const;

  std::string where() const { return name_ + " (" + server_.url + ")"; }

 private:
  OpenAiClient(OpenAiServer server, HttpClient client, std::string room, std::string name)
      : server_(std::move(server)),
        client_(std::move(client)),
        room_(std::move(room)),
        name_(std::move(name)) {}
  OpenAiServer server_;
  HttpClient client_;
  std::string room_, name_;
};

// One answer of a model.
struct OpenAiChoice {
  std::string text;
  bool complete = false;  // `finish_reason` is "stop": ended by itself
};

// The choices of an answer of /chat/completions, at least one. A choice without content has its
// `refusal` as text, and none where there is neither. kCorrupt names `where`: no list of choices,
// or members of other types.
Result<std::vector<OpenAiChoice>> openai_chat_choices(const Json& answer, std::string_view where);
// The same of /completions.
Result<std::vector<OpenAiChoice>> openai_text_choices(const Json& answer, std::string_view where);

}  // namespace llmpatch
