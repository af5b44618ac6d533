// What tests of the HTTP server share: a server whose answers a test gives itself.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "serve/http_server.h"
#include "serve/test_http_client.h"

namespace llmpatch {

// Something that happens once, on another thread.
class Event {
 public:
  void happen() {
    const std::lock_guard lock(mutex_);
    happened_ = true;
    changed_.notify_all();
  }
  bool wait() { return wait_for(std::chrono::seconds(kHangSeconds)); }
  bool wait_for(std::chrono::milliseconds limit) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, limit, [this] { return happened_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool happened_ = false;
};

// Calls `done` until it is true, or for kHangSeconds.
template <class Done>
bool eventually(Done done) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(kHangSeconds);
  while (!done()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

// Requests for /hold... wait for the test; /throw throws; all others are told what they asked for.
class TestServer {
 public:
  explicit TestServer(HttpServerOptions options = {}) {
    auto started = HttpServer::start(
        options,
        [this](std::shared_ptr<HttpExchange> exchange) {
          const HttpServerRequest& request = exchange->request();
          if (request.path == "/throw") throw std::runtime_error("a handler's mistake");
          if (request.path.rfind("/hold", 0) == 0) {
            const std::lock_guard lock(mutex_);
            held_.push_back(std::move(exchange));
            changed_.notify_all();
            return;
          }
          exchange->respond(
              200, {{"Content-Type", "text/plain"}},
              request.method + " " + request.path + " " + request.query + " " + request.body);
        },
        [](int status, std::string_view message, std::string_view code) {
          return std::to_string(status) + ": " + std::string(message) +
                 (code.empty() ? "" : " (" + std::string(code) + ")");
        });
    if (!started.ok()) throw std::runtime_error(started.error().to_string());
    server_ = std::move(started).value();
  }
  // The server first: its threads still call the handler.
  ~TestServer() { server_.reset(); }

  HttpServer& operator*() { return *server_; }
  HttpServer* operator->() { return server_.get(); }
  TestClient connect(int receive_buffer = 0) { return TestClient(server_->port(), receive_buffer); }

  // The oldest held request that no one has taken; null when none comes.
  std::shared_ptr<HttpExchange> held() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, std::chrono::seconds(kHangSeconds),
                           [this] { return !held_.empty(); })) {
      ADD_FAILURE() << "no request has come";
      throw std::runtime_error("no request");
    }
    auto exchange = std::move(held_.front());
    held_.pop_front();
    return exchange;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<HttpExchange>> held_;
  std::unique_ptr<HttpServer> server_;
};

inline std::string get(std::string_view path, std::string_view more_headers = "") {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: test\r\n" + std::string(more_headers) +
         "\r\n";
}

// Whether the server still answers somebody else.
inline void expect_alive(TestServer& server) {
  TestClient client = server.connect();
  ASSERT_TRUE(client.send(get("/alive")));
  EXPECT_EQ(client.response().body, "GET /alive  ");
}

}  // namespace llmpatch
