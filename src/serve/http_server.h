// An HTTP/1.1 server for many open streams: reads whole requests within limits, hands each to a
// handler, and lets the handler answer from any thread, at once or piece by piece.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace boost::asio::ssl {
class context;
}

namespace llmpatch {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpServerRequest {
  std::string method;  // "GET"
  std::string path;    // as sent, up to '?'; begins with '/'
  std::string query;   // after '?', not decoded
  HttpHeaders headers;
  std::string body;
  std::string peer;  // address of the client, without port

  // The first header of that name (case does not matter), or an empty view.
  std::string_view header(std::string_view name) const;
};

// One request and its answer. Thread-safe; exactly one of respond() or begin()..end() is called.
// Dropping the last reference without an answer closes the connection.
class HttpExchange {
 public:
  virtual ~HttpExchange() = default;
  virtual const HttpServerRequest& request() const = 0;

  // A whole answer. Content-Length is set here.
  virtual void respond(int status, HttpHeaders headers, std::string body) = 0;
  // An answer in pieces, as chunked transfer. What the client does not read in time is dropped with
  // the connection: write() never blocks, and buffers up to the server's limit.
  virtual void begin(int status, HttpHeaders headers) = 0;
  virtual void write(std::string piece) = 0;
  virtual void end() = 0;

  // Whether the client has gone; called at once where it already has. At most one function is kept.
  virtual void on_gone(std::function<void()> gone) = 0;
};

// Called on a network thread: must not block.
using HttpHandler = std::function<void(std::shared_ptr<HttpExchange>)>;
// The body (JSON) of the answer that the server itself gives where no handler runs: 400, 408, 413,
// 414, 417, 431, 501 (another transfer coding than chunked), 503, 505. `code` says for what a 503
// stands, "too_many_connections" or "too_many_bodies", and is empty for the others.
using HttpErrorBody =
    std::function<std::string(int status, std::string_view message, std::string_view code)>;

struct HttpServerOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;                  // 0: a free one
  std::filesystem::path certificate, key;  // PEM; both or neither
  int threads = 1;
  std::size_t max_connections = 1024;
  std::size_t max_head = 16 << 10;
  std::size_t max_body = 4 << 20;
  std::size_t max_bodies = 256 << 20;  // of all requests that are being read or have no answer yet
  std::size_t max_unsent = 4 << 20;    // bytes of a streamed answer that wait for a slow reader
  std::chrono::seconds head_timeout{10}, body_timeout{30}, write_timeout{30}, idle_timeout{60};
};

class HttpServer {
 public:
  // Listens and answers until stopped. Raises the process's soft limit of open files to what
  // `max_connections` need. kInvalidArgument (an option, the address, the certificate), kIo (the
  // port is taken), kLimit (more connections than the process may have open files).
  static Result<std::unique_ptr<HttpServer>> start(const HttpServerOptions& options,
                                                   HttpHandler handler, HttpErrorBody error_body);
  ~HttpServer();  // stop()

  std::uint16_t port() const;
  std::size_t connections() const;
  // Reads a certificate and its key for use_tls(); null without both, for a server that was started
  // without. kInvalidArgument: it was started the other way, or the files are none.
  Result<std::shared_ptr<boost::asio::ssl::context>> read_tls(
      const std::filesystem::path& certificate, const std::filesystem::path& key) const;
  // For the connections that come from now on: what read_tls() gave.
  void use_tls(std::shared_ptr<boost::asio::ssl::context> tls);
  // Accepts no more connections and closes idle ones; answers in flight go on.
  void stop_accepting();
  // Ends what is left, and waits for the handler to return. Idempotent; not from a handler.
  void stop();

 private:
  struct State;
  explicit HttpServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace llmpatch
