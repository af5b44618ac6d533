// The first lines of an answer.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "serve/http_server.h"

namespace llmpatch {

// How a client finds the end of an answer's body.
enum class HttpFraming {
  kNone,        // this status has no body
  kLength,      // Content-Length
  kChunked,     // Transfer-Encoding
  kUntilClose,  // HTTP/1.0, and an answer of unknown length
};

// Status line, headers and the empty line. Date, Server, Connection and what frames the body are
// written here. Nothing where `status` is not 200..599, where `headers` holds one of these or what
// is no header: a line break in one would begin an answer of somebody else's making.
std::optional<std::string> http_response_head(int status, const HttpHeaders& headers,
                                              HttpFraming framing, std::size_t length,
                                              bool keep_alive);

}  // namespace llmpatch
