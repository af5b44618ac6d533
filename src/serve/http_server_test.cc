#include "serve/http_server.h"

#include <gtest/gtest.h>

#include <thread>

#include "serve/test_http_server.h"

namespace llmpatch {
namespace {

std::string post(std::string_view path, std::string_view body, std::string_view headers = "") {
  return "POST " + std::string(path) + " HTTP/1.1\r\nHost: test\r\n" + std::string(headers) +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

TEST(HttpServer, AnswersAndKeepsTheConnection) {
  TestServer server;
  TestClient client = server.connect();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(client.send(post("/path?query", "body")));
    const TestResponse response = client.response();
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body, "POST /path query body");
    EXPECT_NE(response.head.find("\r\nConnection: keep-alive\r\n"), std::string::npos);
    EXPECT_NE(response.head.find("\r\nServer: llmpatch\r\n"), std::string::npos);
  }
  EXPECT_EQ(server->connections(), 1u);
}

TEST(HttpServer, ClosesWhereTheClientWantsIt) {
  TestServer server;
  TestClient client = server.connect();
  ASSERT_TRUE(client.send(get("/", "Connection: close\r\n")));
  const TestResponse response = client.response();
  EXPECT_EQ(response.status, 200);
  EXPECT_NE(response.head.find("\r\nConnection: close\r\n"), std::string::npos);
  EXPECT_TRUE(client.at_end());
}

TEST(HttpServer, TellsTheHandlerWhoAsks) {
  TestServer server;
  TestClient client = server.connect();
  ASSERT_TRUE(client.send(get("/hold", "Authorization: Bearer key\r\n")));
  const auto exchange = server.held();
  EXPECT_EQ(exchange->request().peer, "127.0.0.1");
  EXPECT_EQ(exchange->request().header("authorization"), "Bearer key");
  exchange->respond(200, {}, "");
  EXPECT_EQ(client.response().status, 200);
}

TEST(HttpServer, AnswersPipelinedRequestsInTheirOrder) {
  TestServer server;
  TestClient client = server.connect();
  ASSERT_TRUE(client.send(get("/hold/1") + post("/second", "x") + get("/hold/3")));
  const auto first = server.held();
  EXPECT_EQ(first->request().path, "/hold/1");
  std::thread([&] { first->respond(200, {}, "first"); }).join();
  EXPECT_EQ(client.response().body, "first");
  EXPECT_EQ(client.response().body, "POST /second  x");
  server.held()->respond(200, {}, "third");
  EXPECT_EQ(client.response().body, "third");
}

TEST(HttpServer, AnswersHeadWithoutABody) {
  TestServer server;
  TestClient client = server.connect();
  ASSERT_TRUE(client.send("HEAD /path HTTP/1.1\r\nHost: h\r\n\r\n" + get("/next")));
  const TestResponse response = client.response(true);
  EXPECT_EQ(response.status, 200);
  EXPECT_NE(response.head.find("\r\nContent-Length: 12\r\n"), std::string::npos)
      << "of \"HEAD /path  \"";
  EXPECT_EQ(client.response().body, "GET /next  ");
}

TEST(HttpServer, GivesOptionsToTheHandlerAndAnswersThoseOfTheServer) {
  TestServer server;
  TestClient client = server.connect();
  ASSERT_TRUE(client.send("OPTIONS /path HTTP/1.1\r\nHost: h\r\n\r\n"));
  EXPECT_EQ(client.response().body, "OPTIONS /path  ");
  ASSERT_TRUE(client.send("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"));
  EXPECT_EQ(client.response().status, 204);
}

TEST(HttpServer, GivesLeaveToSendABody) {
  TestServer server;
  TestClient client = server.connect();
  ASSERT_TRUE(client.send(
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"));
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  ASSERT_TRUE(client.send("hello"));
  EXPECT_EQ(client.response().body, "POST /  hello");
}

TEST(HttpServer, ReadsChunks) {
  TestServer server;
  TestClient client = server.connect();
  ASSERT_TRUE(
      client.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"));
  EXPECT_EQ(client.response().body, "POST /  hello world");
}

TEST(HttpServer, StreamsPieceByPiece) {
  TestServer server;
  TestClient client = server.connect();
  ASSERT_TRUE(client.send(get("/hold")));
  const auto exchange = server.held();
  exchange->begin(200, {{"Content-Type", "text/event-stream"}});
  EXPECT_NE(client.read_until("\r\n\r\n").find("Transfer-Encoding: chunked"), std::string::npos);
  for (const std::string piece : {"one", "two", "three"}) {
    exchange->write(piece);
    EXPECT_EQ(client.chunk(), piece);  // before the next is written
  }
  exchange->end();
  EXPECT_EQ(client.chunk(), "");
  ASSERT_TRUE(client.send(get("/next")));
  EXPECT_EQ(client.response().body, "GET /next  ");
}

TEST(HttpServer, StreamsToAnOldClientUntilItCloses) {
  TestServer server;
  TestClient client = server.connect();
  ASSERT_TRUE(client.send("GET /hold HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
  const auto exchange = server.held();
  exchange->begin(200, {});
  exchange->write("one ");
  exchange->write("two");
  exchange->end();
  EXPECT_EQ(client.response().body, "one two");
}

TEST(HttpServer, SendsALargeAnswerWhole) {
  TestServer server;
  TestClient client = server.connect();
  ASSERT_TRUE(client.send(get("/hold")));
  std::string body;
  while (body.size() < (12u << 20)) body += std::to_string(body.size()) + "\n";
  server.held()->respond(200, {}, body);
  EXPECT_EQ(client.response().body, body);
}

TEST(HttpServer, StreamsToManyOnFewThreads) {
  HttpServerOptions options;
  options.threads = 2;
  TestServer server(options);
  constexpr int kClients = 300;
  std::vector<TestClient> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.push_back(server.connect());
    ASSERT_TRUE(clients.back().send(get("/hold/" + std::to_string(i))));
  }
  std::vector<std::shared_ptr<HttpExchange>> exchanges;
  for (int i = 0; i < kClients; ++i) exchanges.push_back(server.held());
  EXPECT_EQ(server->connections(), static_cast<std::size_t>(kClients));

  // All at the same time, from three threads.
  std::vector<std::thread> writers;
  for (int t = 0; t < 3; ++t) {
    writers.emplace_back([&, t] {
      for (int i = t; i < kClients; i += 3) exchanges[i]->begin(200, {});
      for (int piece = 0; piece < 20; ++piece) {
        for (int i = t; i < kClients; i += 3) exchanges[i]->write(exchanges[i]->request().path);
      }
      for (int i = t; i < kClients; i += 3) exchanges[i]->end();
    });
  }
  for (std::thread& writer : writers) writer.join();
  for (int i = 0; i < kClients; ++i) {
    std::string expected;
    for (int piece = 0; piece < 20; ++piece) expected += "/hold/" + std::to_string(i);
    EXPECT_EQ(clients[i].response().body, expected);
  }
}

TEST(HttpServer, FinishesWhatIsUnderWayWhenItAcceptsNoMore) {
  TestServer server;
  TestClient idle = server.connect(), busy = server.connect(), streaming = server.connect();
  ASSERT_TRUE(idle.send(get("/")));
  EXPECT_EQ(idle.response().status, 200);
  ASSERT_TRUE(busy.send(get("/hold")));
  const auto answer = server.held();
  ASSERT_TRUE(streaming.send(get("/hold")));
  const auto stream = server.held();
  stream->begin(200, {});
  stream->write("one");
  EXPECT_NE(streaming.read_until("\r\n\r\n"), "");
  EXPECT_EQ(streaming.chunk(), "one");

  server->stop_accepting();
  EXPECT_TRUE(idle.at_end());
  EXPECT_TRUE(eventually([&] { return !TestClient(server->port()).connected(); }));
  answer->respond(200, {}, "done");
  EXPECT_EQ(busy.response().body, "done");
  EXPECT_TRUE(busy.at_end());
  stream->write("two");
  stream->end();
  EXPECT_EQ(streaming.chunk(), "two");
  EXPECT_EQ(streaming.chunk(), "");
  EXPECT_TRUE(streaming.at_end());
  idle.close();
  busy.close();
  streaming.close();
  EXPECT_TRUE(eventually([&] { return server->connections() == 0; }));
}

TEST(HttpServer, StopsWhileItStreams) {
  std::shared_ptr<HttpExchange> stream, waiting;
  Event gone;
  {
    TestServer server;
    TestClient streaming = server.connect(), patient = server.connect();
    ASSERT_TRUE(streaming.send(get("/hold")));
    stream = server.held();
    ASSERT_TRUE(patient.send(get("/hold")));
    waiting = server.held();
    stream->on_gone([&] { gone.happen(); });
    stream->begin(200, {});
    stream->write("one");
    std::atomic<bool> stopped{false};
    std::thread writer([&] {
      while (!stopped) stream->write("piece");
    });
    server->stop();
    EXPECT_TRUE(gone.wait());
    EXPECT_EQ(server->connections(), 0u);
    stopped = true;
    writer.join();
    server->stop();  // again
  }
  // The server is no more; its answers go nowhere.
  stream->write("two");
  stream->end();
  Event gone_too;
  waiting->on_gone([&] { gone_too.happen(); });
  EXPECT_TRUE(gone_too.wait());
  waiting->respond(200, {}, "to nobody");
}

TEST(HttpServer, RefusesWhereItCannotListen) {
  const auto kind = [](const HttpServerOptions& options) {
    const auto server = HttpServer::start(
        options, [](const auto&) {}, [](int, std::string_view, std::string_view) { return ""; });
    EXPECT_FALSE(server.ok());
    return server.ok() ? ErrorKind::kInternal : server.error().kind;
  };
  TestServer other;
  HttpServerOptions taken;
  taken.port = other->port();
  EXPECT_EQ(kind(taken), ErrorKind::kIo);
  HttpServerOptions elsewhere;
  elsewhere.host = "192.0.2.1";  // of no machine: RFC 5737
  EXPECT_EQ(kind(elsewhere), ErrorKind::kInvalidArgument);
  HttpServerOptions nonsense;
  nonsense.host = "not an address";
  EXPECT_EQ(kind(nonsense), ErrorKind::kInvalidArgument);
  HttpServerOptions half;
  half.certificate = "certificate.pem";
  EXPECT_EQ(kind(half), ErrorKind::kInvalidArgument);
  HttpServerOptions no_threads;
  no_threads.threads = 0;
  EXPECT_EQ(kind(no_threads), ErrorKind::kInvalidArgument);
  HttpServerOptions crowd;
  crowd.max_connections = std::size_t{1} << 40;
  EXPECT_EQ(kind(crowd), ErrorKind::kLimit);
  HttpServerOptions no_head;
  no_head.max_head = 0;
  EXPECT_EQ(kind(no_head), ErrorKind::kInvalidArgument);
}

TEST(HttpServer, ListensOnIpv6) {
  HttpServerOptions options;
  options.host = "::1";
  const auto server = HttpServer::start(
      options, [](const auto&) {}, [](int, std::string_view, std::string_view) { return ""; });
  if (!server.ok()) GTEST_SKIP() << server.error().to_string();
  EXPECT_NE(server.value()->port(), 0);
}

}  // namespace
}  // namespace llmpatch
