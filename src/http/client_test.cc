#include "http/client.h"

#include <atomic>

#include "http/test_listener.h"

namespace llmpatch {
namespace {

// A server on this machine that says the same to everyone who connects: `first`, and then `again`
// every twentieth of a second until the client leaves.
class Server {
 public:
  Server(std::string first, std::string again)
      : first_(std::move(first)),
        again_(std::move(again)),
        listener_([this](int client) { serve(client); }) {}
  std::string url() const { return listener_.origin() + "/"; }
  int connections() const { return connections_; }

 private:
  void serve(int client) {
    ++connections_;
    char request[4096];
    (void)!::recv(client, request, sizeof request, 0);
    bool there = ::send(client, first_.data(), first_.size(), MSG_NOSIGNAL) >= 0;
    while (there && !again_.empty()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      there = ::send(client, again_.data(), again_.size(), MSG_NOSIGNAL) >= 0;
    }
  }
  std::string first_, again_;
  std::atomic<int> connections_{0};
  TestListener listener_;  // last: its thread uses the others
};

HttpOptions quick() {
  HttpOptions options;
  options.plain_http = true;
  options.attempts = 2;
  options.first_wait = std::chrono::milliseconds(1);
  options.slow_limit = std::chrono::seconds(1);
  return options;
}

HttpRequest request_to(const Server& server) {
  HttpRequest request;
  request.url = server.url();
  return request;
}

Result<HttpAnswer> send(const HttpRequest& request, HttpOptions options = quick()) {
  LLMPATCH_ASSIGN(HttpClient client, HttpClient::create(std::move(options)));
  return client.send(request);
}

ErrorKind kind_of(const Server& server, std::uint64_t max_answer, HttpOptions options = quick()) {
  HttpRequest request = request_to(server);
  request.max_answer = max_answer;
  const auto answer = send(request, std::move(options));
  return answer.ok() ? ErrorKind::kInternal : answer.error().kind;
}

TEST(HttpClient, GivesTheAnswer) {
  const Server server("HTTP/1.1 404 No\r\nContent-Length: 4\r\nX-Kind: a\r\n\r\nnone", "");
  const auto answer = send(request_to(server));
  ASSERT_TRUE(answer.ok()) << answer.error().to_string();
  EXPECT_EQ(answer->status, 404);
  EXPECT_EQ(answer->body, "none");
  EXPECT_EQ(answer->header("x-kind"), "a");
  EXPECT_EQ(answer->header("x-other"), "");
}

TEST(HttpClient, TakesNoMoreThanItWasAskedFor) {
  const Server server("HTTP/1.1 200 OK\r\n\r\n", std::string(1000, 'x'));
  EXPECT_EQ(kind_of(server, 5000), ErrorKind::kLimit);
  EXPECT_EQ(server.connections(), 1);  // another attempt would find the same
}

TEST(HttpClient, GivesUpOnASlowDrip) {
  const Server server("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", "x");
  EXPECT_EQ(kind_of(server, 100'000), ErrorKind::kLimit);
  EXPECT_EQ(server.connections(), 2);
}

TEST(HttpClient, GivesUpOnAHeadWithoutAnEnd) {
  const Server server("HTTP/1.1 200 OK\r\n", "X-Header: " + std::string(60'000, 'x') + "\r\n");
  EXPECT_EQ(kind_of(server, 1000), ErrorKind::kLimit);
}

TEST(HttpClient, SaysThatNobodyAnswers) {
  const Server server("", "");
  EXPECT_EQ(kind_of(server, 1000), ErrorKind::kIo);
  EXPECT_EQ(server.connections(), 2);
}

TEST(HttpClient, SendsNothingUnencrypted) {
  const Server server("HTTP/1.1 200 OK\r\n\r\n", "");
  HttpOptions options = quick();
  options.plain_http = false;
  EXPECT_EQ(kind_of(server, 1000, options), ErrorKind::kDenied);
  EXPECT_EQ(server.connections(), 0);
}

TEST(HttpClient, RefusesAHeaderThatIsTwo) {
  const Server server("HTTP/1.1 200 OK\r\n\r\n", "");
  HttpRequest request = request_to(server);
  request.authorization = "Basic x\r\nX-Other: y";
  const auto answer = send(request);
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().kind, ErrorKind::kInvalidArgument);
  EXPECT_EQ(server.connections(), 0);
}

// A server that sends just fast enough to be waited for: 2 s an attempt, and 4 s for all of them.
TEST(HttpClient, GivesAllAttemptsTogetherOneTime) {
  const Server server("HTTP/1.1 200 OK\r\n\r\n", "x");
  HttpOptions options = quick();
  options.slowest = 10;
  options.attempts = 3;
  EXPECT_EQ(kind_of(server, 160, options), ErrorKind::kLimit);
  EXPECT_EQ(server.connections(), 2);
}

TEST(HttpClient, StopsWhenItIsCancelled) {
  const Server server("HTTP/1.1 200 OK\r\n\r\n", std::string(2000, 'x'));
  CancelFlag cancel;
  HttpOptions options = quick();
  options.cancel = &cancel;
  options.slow_limit = std::chrono::seconds(60);
  std::thread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    cancel.raise();
  });
  EXPECT_EQ(kind_of(server, std::uint64_t{1} << 40, options), ErrorKind::kCancelled);
  later.join();
}

}  // namespace
}  // namespace llmpatch
