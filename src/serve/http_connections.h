// What the connections of one HTTP server share, and which of them there are.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "serve/http_body_budget.h"
#include "serve/http_connection.h"
#include "serve/http_server.h"

namespace llmpatch {

// Thread-safe. Owned by the server and by every connection, so that the io_context outlives all
// that has work on it.
class HttpConnections {
 public:
  HttpConnections(HttpServerOptions given, HttpHandler to_handler, HttpErrorBody to_error_body,
                  std::shared_ptr<boost::asio::ssl::context> given_tls)
      : options(std::move(given)),
        handler(std::move(to_handler)),
        error_body(std::move(to_error_body)),
        bodies(std::make_shared<HttpBodyBudget>(options.max_bodies)),
        tls_(std::move(given_tls)) {}

  const HttpServerOptions options;
  const HttpHandler handler;
  const HttpErrorBody error_body;
  const std::shared_ptr<HttpBodyBudget> bodies;
  boost::asio::io_context io;
  std::atomic<bool> draining{false};  // connections end with the answer under way

  // With what connections begin that come from now on; null: without TLS.
  std::shared_ptr<boost::asio::ssl::context> tls() const {
    const std::lock_guard lock(mutex_);
    return tls_;
  }
  void set_tls(std::shared_ptr<boost::asio::ssl::context> tls) {
    const std::lock_guard lock(mutex_);
    tls_ = std::move(tls);
  }

  // Whether `connection` is one of at most `limit`, and is kept until remove(). Never after
  // close_all().
  bool add(const std::shared_ptr<HttpConnection>& connection, std::size_t limit) {
    const std::lock_guard lock(mutex_);
    if (closed_ || connections_.size() >= limit) return false;
    connections_.emplace(connection.get(), connection);
    return true;
  }

  void remove(const HttpConnection* connection) {
    const std::lock_guard lock(mutex_);
    connections_.erase(connection);
  }

  std::size_t count() const {
    const std::lock_guard lock(mutex_);
    return connections_.size();
  }

  void drain_all() {
    draining = true;
    for (const auto& connection : all(false)) connection->drain();
  }

  void close_all() {
    for (const auto& connection : all(true)) connection->close();
  }

 private:
  std::vector<std::shared_ptr<HttpConnection>> all(bool last) {
    const std::lock_guard lock(mutex_);
    closed_ = closed_ || last;
    std::vector<std::shared_ptr<HttpConnection>> connections;
    for (const auto& [address, weak] : connections_) {
      if (auto connection = weak.lock()) connections.push_back(std::move(connection));
    }
    return connections;
  }

  mutable std::mutex mutex_;
  std::map<const HttpConnection*, std::weak_ptr<HttpConnection>> connections_;
  bool closed_ = false;
  std::shared_ptr<boost::asio::ssl::context> tls_;
};

}  // namespace llmpatch
