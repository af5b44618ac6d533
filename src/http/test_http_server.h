// A server for tests that speaks HTTP: answers each request by a function of it.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "http/test_listener.h"

namespace llmpatch {

// One request a connection, one connection at a time.
class TestHttpServer {
 public:
  struct Seen {
    std::string head, body;
  };
  struct Said {
    int status = 200;
    std::string body = {};
    std::string headers = {};  // lines with "\r\n" behind each
    std::size_t cut_to = 0;    // of the body only so many bytes are sent; 0: all
  };

  // `answer` is told the request and its number, from 1.
  explicit TestHttpServer(std::function<Said(const Seen&, int number)> answer)
      : answer_(std::move(answer)), listener_([this](int client) { serve(client); }) {}
  std::string origin() const { return listener_.origin(); }
  std::vector<Seen> seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }

 private:
  static Seen read_request(int client) {
    std::string text;
    Seen seen;
    char buffer[4096];
    while (true) {
      const auto end = text.find("\r\n\r\n");
      if (end != std::string::npos) {
        seen.head = text.substr(0, end);
        seen.body = text.substr(end + 4);
        const auto at = seen.head.find("Content-Length: ");
        const std::size_t length =
            at == std::string::npos ? 0 : std::stoul(seen.head.substr(at + 16));
        if (seen.body.size() >= length) return seen;
      }
      const auto count = ::recv(client, buffer, sizeof buffer, 0);
      if (count <= 0) return seen;
      text.append(buffer, static_cast<std::size_t>(count));
    }
  }
  void serve(int client) {
    const Seen request = read_request(client);
    int number = 0;
    {
      const std::lock_guard lock(mutex_);
      seen_.push_back(request);
      number = static_cast<int>(seen_.size());
    }
    const Said said = answer_(request, number);
    const std::string text = "HTTP/1.1 " + std::to_string(said.status) +
                             " X\r\nConnection: close\r\n" + said.headers +
                             "Content-Length: " + std::to_string(said.body.size()) + "\r\n\r\n" +
                             (said.cut_to > 0 ? said.body.substr(0, said.cut_to) : said.body);
    (void)!::send(client, text.data(), text.size(), MSG_NOSIGNAL);
  }
  std::function<Said(const Seen&, int)> answer_;
  mutable std::mutex mutex_;
  std::vector<Seen> seen_;
  TestListener listener_;  // last: its thread uses the others
};

}  // namespace llmpatch
