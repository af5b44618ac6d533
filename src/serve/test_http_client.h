// What tests of the server share: a client that may misbehave as it likes, over a real socket.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

namespace llmpatch {

// A ceiling for what would otherwise hang; no test waits for it to pass.
inline constexpr int kHangSeconds = 60;

struct TestResponse {
  int status = 0;  // 0: none came
  std::string head, body;
};

// One connection to 127.0.0.1.
class TestClient {
 public:
  // `receive_buffer`: of the kernel, so that a client that does not read is noticed soon.
  explicit TestClient(std::uint16_t port, int receive_buffer = 0) {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer > 0) {
      ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    }
    const timeval limit{kHangSeconds, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~TestClient() { close(); }
  TestClient(TestClient&& other) noexcept
      : socket_(std::exchange(other.socket_, -1)),
        connected_(other.connected_),
        ended_(other.ended_),
        received_(std::move(other.received_)) {}
  TestClient& operator=(TestClient&&) = delete;

  bool connected() const { return connected_; }
  int socket() const { return socket_; }

  // Whether all of it was taken by the kernel.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  // Ends the sending, and goes on reading.
  void end_sending() { ::shutdown(socket_, SHUT_WR); }
  void close() {
    if (socket_ >= 0) ::close(std::exchange(socket_, -1));
  }
  // Closes with a reset.
  void reset() {
    const linger at_once{1, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close();
  }

  // What comes up to and with `mark`; without it, what came until the server closed.
  std::string read_until(std::string_view mark) {
    std::size_t found;
    while ((found = received_.find(mark)) == std::string::npos && receive()) {
    }
    if (found == std::string::npos) return std::exchange(received_, {});
    return take(found + mark.size());
  }
  std::string read_to_end() {
    while (receive()) {
    }
    return std::exchange(received_, {});
  }
  // Whether the server has closed; waits for it.
  bool at_end() {
    while (receive()) {
    }
    return ended_;
  }

  // One answer, with chunks joined. `bodyless`: to a HEAD.
  TestResponse response(bool bodyless = false) {
    TestResponse response;
    response.head = read_until("\r\n\r\n");
    if (response.head.rfind("HTTP/1.1 ", 0) == 0) {
      response.status = std::atoi(response.head.c_str() + 9);
    }
    if (bodyless || response.status == 204) return response;
    constexpr std::string_view kLength = "\r\nContent-Length: ";
    if (const std::size_t at = response.head.find(kLength); at != std::string::npos) {
      const std::size_t size =
          std::strtoul(response.head.c_str() + at + kLength.size(), nullptr, 10);
      while (received_.size() < size && receive()) {
      }
      response.body = take(size);
    } else if (response.head.find("\r\nTransfer-Encoding: chunked\r\n") != std::string::npos) {
      while (true) {
        const std::string piece = chunk();
        if (piece.empty()) break;
        response.body += piece;
      }
    } else {
      response.body = read_to_end();
    }
    return response;
  }

  // The next chunk's data; empty for the last.
  std::string chunk() {
    const std::size_t size = std::strtoul(read_until("\r\n").c_str(), nullptr, 16);
    while (received_.size() < size + 2 && receive()) {
    }
    std::string data = take(size + 2);
    data.resize(std::min(size, data.size()));
    return data;
  }

 private:
  bool receive() {
    char bytes[16384];
    const ssize_t size = ::recv(socket_, bytes, sizeof bytes, 0);
    if (size > 0) received_.append(bytes, static_cast<std::size_t>(size));
    ended_ = size == 0 || (size < 0 && errno == ECONNRESET);
    return size > 0;
  }
  std::string take(std::size_t size) {
    std::string taken = received_.substr(0, size);
    received_.erase(0, taken.size());
    return taken;
  }

  int socket_ = -1;
  bool connected_ = false, ended_ = false;
  std::string received_;
};

}  // namespace llmpatch
