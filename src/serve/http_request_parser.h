// Reads one HTTP/1.1 request from bytes as they come, within limits. It is stricter than the
// standard asks: what two readers could take for different requests is refused, so that a proxy in
// front and this server always agree on where a request ends.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "serve/http_server.h"

namespace llmpatch {

struct HttpRequestLimits {
  std::size_t head = 16 << 10;   // bytes up to the empty line
  std::size_t target = 8 << 10;  // bytes of path and query
  std::size_t headers = 100;
  std::size_t body = 4 << 20;  // bytes, without the framing of chunks
};

// Whether `name` is what a header may be called: one or more token characters of RFC 9110.
bool is_header_name(std::string_view name);
// Whether `value` holds no control character but tab.
bool is_header_value(std::string_view value);

// Not thread-safe. Of one request: make a new one for the next.
class HttpRequestParser {
 public:
  enum class State {
    kHead,     // wants more of the head
    kBody,     // the head is whole and good; wants more of the body
    kWhole,    // request() may be taken
    kRefused,  // refusal() says why; where the next request would begin is not known
  };
  // A status for the client and a message that can be shown to it.
  struct Refusal {
    int status = 400;
    std::string message;
  };

  explicit HttpRequestParser(const HttpRequestLimits& limits);
  ~HttpRequestParser();

  // Takes what belongs to this request from the front of `input`. What stays there is either the
  // beginning of a part that is not whole (append to it and call again) or, in kWhole, of the next
  // request; it is never more than `head` bytes unless kWhole or kRefused.
  State take(std::string& input);

  // From kBody on.
  bool http11() const;            // HTTP/1.1, not 1.0
  bool keep_alive() const;        // whether the client goes on with this connection
  bool expects_continue() const;  // whether the client waits for 100 before it sends the body

  std::size_t body_size() const;  // of what has come

  const Refusal& refusal() const;  // in kRefused
  HttpServerRequest request();     // in kWhole, once; without `peer`

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace llmpatch
