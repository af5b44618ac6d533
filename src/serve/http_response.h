// One answer on its way from a handler's threads to a connection.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "serve/http_response_head.h"
#include "serve/http_server.h"

namespace llmpatch {

// What a connection knows of a request that decides how its answer is written.
struct HttpResponseForm {
  bool http11 = true;      // chunks are understood
  bool bodyless = false;   // the method was HEAD
  bool keep_alive = true;  // the connection is to go on
  std::size_t max_unsent = 4 << 20;
};

// Thread-safe. Holds the bytes that a handler has written and the connection has not sent yet.
class HttpResponse {
 public:
  // `wake` is called, on any thread, when there is something new to take(). It must not call back.
  HttpResponse(const HttpResponseForm& form, std::function<void()> wake);

  // The handler's side; see HttpExchange. Calls out of order are ignored.
  void respond(int status, const HttpHeaders& headers, const std::string& body);
  void begin(int status, const HttpHeaders& headers);
  void write(const std::string& piece);
  void end();
  void on_gone(std::function<void()> gone);
  // Nobody is left who could go on with the answer: an unfinished one is broken off.
  void abandon();

  // The connection's side.
  enum class State {
    kOpen,    // more may come
    kWhole,   // all was taken
    kBroken,  // the connection has to be closed: abandoned, or more unsent than allowed
  };
  // Moves the bytes to send to the end of `bytes`.
  State take(std::string& bytes);
  void sent(std::size_t bytes);  // of those taken, how many more have gone to the client
  bool keep_alive() const;       // once whole: what the client was told
  void close_after();            // say "Connection: close" if it is not too late
  // The connection has no more to do with the answer: no further wake(), and what is written goes
  // nowhere. With `gone`, the client has left: says so to the handler unless its answer was whole.
  void detach(bool gone);

 private:
  enum class Phase { kNew, kStreaming, kEnded, kBroken };

  // With the mutex held.
  void write_head(int status, const HttpHeaders& headers, HttpFraming framing, std::size_t length);
  void add(const std::string& bytes);
  void wake();

  const HttpResponseForm form_;
  mutable std::mutex mutex_;
  std::function<void()> wake_;  // empty: detached
  std::function<void()> gone_function_;
  std::string bytes_;
  std::size_t unsent_ = 0;  // in bytes_, and taken but not sent
  Phase phase_ = Phase::kNew;
  HttpFraming framing_ = HttpFraming::kLength;
  bool keep_alive_;
  bool woken_ = false, gone_ = false;
};

}  // namespace llmpatch
