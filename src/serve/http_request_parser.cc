#include "serve/http_request_parser.h"

#include <algorithm>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <charconv>
#include <cstdint>
#include <limits>
#include <utility>

#include "base/ascii.h"
#include "serve/http_chunks.h"

namespace llmpatch {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;

using State = HttpRequestParser::State;
using Refusal = HttpRequestParser::Refusal;

constexpr std::size_t kMaxMethod = 20;
constexpr std::size_t kMaxLine = 1024;  // of a chunk's size with its extensions, or of the trailer

std::string too_large(std::size_t limit) {
  return "body: expected at most " + std::to_string(limit) + " bytes";
}

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

bool is_token_character(char c) {
  return (c >= '0' && c <= '9') || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = ascii_lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Whether `target` is a path, with or without a query, of visible ASCII; and its escapes are whole
// and, in the path, stand for no control character.
bool is_origin_form(std::string_view target) {
  if (target.empty() || target.front() != '/') return false;
  const std::size_t path = std::min(target.find('?'), target.size());
  for (std::size_t i = 0; i < target.size(); ++i) {
    const char c = target[i];
    if (c <= ' ' || c >= '\x7f' || c == '#') return false;
    if (c != '%') continue;
    if (target.size() - i < 3) return false;
    const int high = hex_value(target[i + 1]), low = hex_value(target[i + 2]);
    if (high < 0 || low < 0) return false;
    if (i < path && (high < 2 || (high == 7 && low == 15))) return false;
  }
  return true;
}

// Headers whose meaning decides where a request ends or whom it is for.
struct Framing {
  int hosts = 0, lengths = 0, encodings = 0, expectations = 0;
  std::string_view host, length, encoding, expectation;
  std::size_t body_length = 0;
};

Framing framing_of(const http::fields& fields) {
  Framing framing;
  const auto note = [](int& count, std::string_view& kept, std::string_view value) {
    ++count;
    kept = value;
  };
  for (const auto& field : fields) {
    const std::string_view value = view(field.value());
    switch (field.name()) {
      case http::field::host:
        note(framing.hosts, framing.host, value);
        break;
      case http::field::content_length:
        note(framing.lengths, framing.length, value);
        break;
      case http::field::transfer_encoding:
        note(framing.encodings, framing.encoding, value);
        break;
      case http::field::expect:
        note(framing.expectations, framing.expectation, value);
        break;
      default:
        break;
    }
  }
  return framing;
}

// Sets body_length. A status of 0: nothing to refuse.
Refusal check(Framing& framing, bool http11, std::size_t max_body) {
  if (framing.hosts > 1 || (http11 && framing.hosts == 0)) {
    return {400, "Host: expected exactly one"};
  }
  if (framing.encodings > 0) {
    if (framing.lengths > 0) return {400, "found both Transfer-Encoding and Content-Length"};
    if (!http11) return {400, "Transfer-Encoding: expected HTTP/1.1"};
    if (framing.encodings > 1 || ascii_lower(framing.encoding) != "chunked") {
      return {501, "Transfer-Encoding: expected 'chunked' alone"};
    }
  }
  if (framing.lengths > 0) {
    const std::string_view text = framing.length;
    const bool digits = !text.empty() && std::all_of(text.begin(), text.end(),
                                                     [](char c) { return c >= '0' && c <= '9'; });
    if (framing.lengths > 1 || !digits) return {400, "Content-Length: expected one number"};
    std::uint64_t length = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
    if (error != std::errc() || length > max_body) {
      return {413, too_large(max_body)};
    }
    framing.body_length = static_cast<std::size_t>(length);
  }
  if (framing.expectations > 1 ||
      (framing.expectations == 1 && ascii_lower(framing.expectation) != "100-continue")) {
    return {417, "Expect: expected '100-continue'"};
  }
  return {0, ""};
}

}  // namespace

bool is_header_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), is_token_character);
}

bool is_header_value(std::string_view value) {
  return std::none_of(value.begin(), value.end(), [](char c) {
    return (static_cast<unsigned char>(c) < ' ' && c != '\t') || c == '\x7f';
  });
}

struct HttpRequestParser::Impl {
  explicit Impl(const HttpRequestLimits& given) : limits(given), chunks(given.body, kMaxLine) {
    parser.header_limit(static_cast<std::uint32_t>(given.head));
    parser.body_limit(std::numeric_limits<std::uint64_t>::max());  // the body is read here
  }

  State refuse(int status, std::string message) {
    refused = {status, std::move(message)};
    return state = State::kRefused;
  }

  State refuse(beast::error_code error) {
    if (error == http::error::bad_version) {
      return refuse(505, "request: expected HTTP/1.1");
    }
    return refuse(400, "request: " + error.message());
  }

  State take_head(std::string& input) {
    // Some clients send an empty line after a body; RFC 9112 2.2 asks to overlook it.
    if (!seen && input.size() >= 2) {
      if (input.compare(0, 2, "\r\n") == 0) input.erase(0, 2);
      seen = true;
    }
    const std::size_t from = searched < 3 ? 0 : searched - 3;
    const std::size_t end = input.find("\r\n\r\n", from);
    searched = input.size();
    const std::string_view seen_head(input.data(), std::min(end, input.size()));
    const std::size_t line = seen_head.find("\r\n");
    const std::size_t first_line = std::min(line, seen_head.size());
    if (first_line > limits.target + kMaxMethod + 12) {  // "METHOD TARGET HTTP/1.1", perhaps a CR
      return refuse(414, "target: expected at most " + std::to_string(limits.target) + " bytes");
    }
    if (end == std::string::npos ? input.size() >= limits.head : end + 4 > limits.head) {
      return refuse(431, "head: expected at most " + std::to_string(limits.head) + " bytes");
    }
    if (end == std::string::npos) return state;
    return read_head(input, end + 4);
  }

  State read_head(std::string& input, std::size_t size) {
    const std::string_view head(input.data(), size);
    if (head.find("\r\n ") != head.npos || head.find("\r\n\t") != head.npos) {
      return refuse(400, "header: found a folded line");
    }
    beast::error_code error;
    parser.put(boost::asio::buffer(head.data(), head.size()), error);
    if (error) return refuse(error);
    if (!parser.is_header_done()) return refuse(400, "request: found no head");
    const auto& message = parser.get();
    if (message.target().size() > limits.target) {
      return refuse(414, "target: expected at most " + std::to_string(limits.target) + " bytes");
    }
    const std::string_view target = view(message.target());
    request.method = std::string(view(message.method_string()));
    if (request.method.size() > kMaxMethod) return refuse(400, "method: found a long one");
    if (!is_origin_form(target) && !(target == "*" && request.method == "OPTIONS")) {
      return refuse(400, "target: expected a path");
    }
    const auto count = std::distance(message.begin(), message.end());
    if (static_cast<std::size_t>(count) > limits.headers) {
      return refuse(431, "headers: expected at most " + std::to_string(limits.headers));
    }
    http11 = message.version() == 11;
    Framing framing = framing_of(message);
    if (Refusal found = check(framing, http11, limits.body); found.status != 0) {
      return refuse(found.status, std::move(found.message));
    }
    request.path = std::string(target.substr(0, target.find('?')));
    if (request.path.size() < target.size()) {
      request.query = std::string(target.substr(request.path.size() + 1));
    }
    for (const auto& field : message) {
      request.headers.emplace_back(view(field.name_string()), view(field.value()));
    }
    keep_alive = parser.keep_alive();
    chunked = framing.encodings > 0;
    length = framing.body_length;
    const bool whole = !chunked && length == 0;
    expects_continue = framing.expectations == 1 && http11 && !whole;
    input.erase(0, size);
    return state = whole ? State::kWhole : State::kBody;
  }

  State take_body(std::string& input) {
    if (!chunked) {
      const std::size_t size = std::min(length - request.body.size(), input.size());
      request.body.append(input, 0, size);
      input.erase(0, size);
      return state = request.body.size() == length ? State::kWhole : State::kBody;
    }
    switch (chunks.take(input, request.body)) {
      case HttpChunks::State::kMore:
        return state;
      case HttpChunks::State::kWhole:
        return state = State::kWhole;
      case HttpChunks::State::kTooLarge:
        return refuse(413, too_large(limits.body));
      case HttpChunks::State::kBad:
        break;
    }
    return refuse(400, "body: found bad chunks");
  }

  HttpRequestLimits limits;
  http::request_parser<http::empty_body> parser;  // of the head alone
  HttpChunks chunks;
  State state = State::kHead;
  Refusal refused;
  HttpServerRequest request;
  std::size_t searched = 0;  // bytes of the head that were looked through for its end
  bool seen = false;         // the first bytes were looked at
  bool http11 = true, keep_alive = false, expects_continue = false;
  bool chunked = false;
  std::size_t length = 0;  // of the body, unless chunked
};

HttpRequestParser::HttpRequestParser(const HttpRequestLimits& limits)
    : impl_(std::make_unique<Impl>(limits)) {}
HttpRequestParser::~HttpRequestParser() = default;

HttpRequestParser::State HttpRequestParser::take(std::string& input) {
  if (impl_->state == State::kHead) impl_->take_head(input);
  if (impl_->state == State::kBody && !input.empty()) impl_->take_body(input);
  return impl_->state;
}

bool HttpRequestParser::http11() const { return impl_->http11; }
bool HttpRequestParser::keep_alive() const { return impl_->keep_alive; }
bool HttpRequestParser::expects_continue() const { return impl_->expects_continue; }
std::size_t HttpRequestParser::body_size() const { return impl_->request.body.size(); }
const HttpRequestParser::Refusal& HttpRequestParser::refusal() const { return impl_->refused; }
HttpServerRequest HttpRequestParser::request() { return std::move(impl_->request); }

}  // namespace llmpatch
