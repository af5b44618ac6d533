// Clients that leave, that are slow, that send too much or what is no request.
#include "serve/http_connection.h"

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "serve/test_http_server.h"

namespace llmpatch {
namespace {

using std::chrono::seconds;

void expect_turned_away(const TestResponse& response, const std::string& code) {
  EXPECT_EQ(response.status, 503);
  EXPECT_NE(response.head.find("\r\nRetry-After: 1\r\n"), std::string::npos) << response.head;
  EXPECT_NE(response.body.find("(" + code + ")"), std::string::npos) << response.body;
}

TEST(HttpConnection, NoticesAClientThatLeavesWhileItWaits) {
  TestServer server;
  for (const bool reset : {false, true}) {
    TestClient client = server.connect();
    ASSERT_TRUE(client.send(get("/hold")));
    const auto exchange = server.held();
    Event gone;
    exchange->on_gone([&] { gone.happen(); });
    if (reset) {
      client.reset();
    } else {
      client.close();
    }
    EXPECT_TRUE(gone.wait()) << reset;
    Event at_once;
    exchange->on_gone([&] { at_once.happen(); });
    EXPECT_TRUE(at_once.wait());
    exchange->respond(200, {}, "to nobody");
  }
  EXPECT_TRUE(eventually([&] { return server->connections() == 0; }));
}

TEST(HttpConnection, NoticesAClientThatLeavesMidStream) {
  TestServer server;
  TestClient client = server.connect();
  ASSERT_TRUE(client.send(get("/hold")));
  const auto exchange = server.held();
  Event gone;
  exchange->on_gone([&] { gone.happen(); });
  exchange->begin(200, {});
  exchange->write("one");
  client.read_until("one");
  client.close();
  EXPECT_TRUE(eventually([&] {
    exchange->write("piece");
    return gone.wait_for(std::chrono::milliseconds(1));
  }));
  EXPECT_EQ(server->connections(), 0u);
}

TEST(HttpConnection, NoticesAnOldClientThatLeaves) {
  TestServer server;
  TestClient client = server.connect();
  ASSERT_TRUE(client.send("GET /hold HTTP/1.0\r\n\r\n"));
  const auto exchange = server.held();
  Event gone;
  exchange->on_gone([&] { gone.happen(); });
  client.close();
  EXPECT_TRUE(gone.wait());
}

TEST(HttpConnection, AnswersAClientThatHasNoMoreToSay) {
  TestServer server;
  TestClient client = server.connect();
  ASSERT_TRUE(client.send(get("/hold")));
  const auto exchange = server.held();
  std::atomic<bool> gone{false};
  exchange->on_gone([&] { gone = true; });
  client.end_sending();
  // By this it asks whether somebody still listens.
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  exchange->begin(200, {});
  exchange->write("still ");
  exchange->write("here");
  exchange->end();
  EXPECT_EQ(client.response().body, "still here");
  EXPECT_TRUE(client.at_end());
  EXPECT_FALSE(gone);
}

TEST(HttpConnection, AnswersAllThatWasSentBeforeTheEnd) {
  TestServer server;
  TestClient client = server.connect();
  ASSERT_TRUE(client.send(get("/1") + get("/2") + get("/3") + "GET /4 HT"));
  client.end_sending();
  const std::string all = client.read_to_end();
  EXPECT_NE(all.find("GET /1  "), std::string::npos);
  EXPECT_NE(all.find("GET /2  "), std::string::npos);
  EXPECT_NE(all.find("GET /3  "), std::string::npos);
  EXPECT_EQ(all.find("GET /4"), std::string::npos);
}

TEST(HttpConnection, ClosesWhereNobodyAnswers) {
  TestServer server;
  TestClient dropped = server.connect(), thrown = server.connect(), broken = server.connect();
  ASSERT_TRUE(dropped.send(get("/hold")));
  server.held().reset();
  EXPECT_EQ(dropped.read_to_end(), "");
  ASSERT_TRUE(thrown.send(get("/throw")));
  EXPECT_EQ(thrown.read_to_end(), "");
  ASSERT_TRUE(broken.send(get("/hold")));
  {
    const auto exchange = server.held();
    exchange->begin(200, {});
    exchange->write("half");
    EXPECT_NE(broken.read_until("half\r\n"), "");
  }
  EXPECT_EQ(broken.read_to_end(), "") << "no last chunk";
  expect_alive(server);
}

TEST(HttpConnection, DropsAReaderThatIsTooSlow) {
  HttpServerOptions options;
  options.max_unsent = 256 << 10;
  TestServer server(options);
  TestClient client = server.connect(4096);
  ASSERT_TRUE(client.send(get("/hold")));
  const auto exchange = server.held();
  Event gone;
  exchange->on_gone([&] { gone.happen(); });
  exchange->begin(200, {});
  // More than the kernel's buffers can ever hold.
  const std::string piece(64 << 10, 'x');
  for (int i = 0; i < 4096 && !gone.wait_for(std::chrono::milliseconds(0)); ++i) {
    exchange->write(piece);
  }
  EXPECT_TRUE(gone.wait());
  EXPECT_EQ(server->connections(), 0u);
}

TEST(HttpConnection, GivesUpOnAReaderThatDoesNotRead) {
  HttpServerOptions options;
  options.write_timeout = seconds(1);
  TestServer server(options);
  TestClient client = server.connect(4096);
  ASSERT_TRUE(client.send(get("/hold")));
  server.held()->respond(200, {}, std::string(64 << 20, 'x'));
  EXPECT_TRUE(eventually([&] { return server->connections() == 0; }));
}

TEST(HttpConnection, RefusesALargeBodyBeforeItIsSent) {
  TestServer server;
  TestClient client = server.connect();
  ASSERT_TRUE(
      client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 104857600\r\n"
                  "Expect: 100-continue\r\n\r\n"));
  const TestResponse response = client.response();
  EXPECT_EQ(response.status, 413) << response.head;
  EXPECT_EQ(response.body.rfind("413: ", 0), 0u);
  EXPECT_NE(response.head.find("\r\nConnection: close\r\n"), std::string::npos);
  EXPECT_TRUE(client.at_end());
}

TEST(HttpConnection, BearsALargeBodyThatIsSentNevertheless) {
  TestServer server;
  for (const bool chunked : {false, true}) {
    TestClient client = server.connect();
    const std::string piece(1 << 20, 'x');
    std::string head = "POST / HTTP/1.1\r\nHost: h\r\n";
    head += chunked ? "Transfer-Encoding: chunked\r\n\r\n" : "Content-Length: 104857600\r\n\r\n";
    bool taken = client.send(head);
    // Five megabytes are too many and few enough to be overlooked while the client reads its
    // answer.
    for (int i = 0; i < 5 && taken; ++i) {
      taken = client.send(chunked ? "100000\r\n" + piece + "\r\n" : piece);
    }
    EXPECT_EQ(client.response().status, 413) << chunked;
    // And all the rest, whether anybody takes it or not.
    for (int i = 0; i < 95 && taken; ++i) taken = client.send(piece);
    client.close();
  }
  expect_alive(server);
  EXPECT_TRUE(eventually([&] { return server->connections() == 0; }));
}

TEST(HttpConnection, HoldsOnlySoManyBodies) {
  HttpServerOptions options;
  options.max_bodies = 5000;
  TestServer server(options);
  const std::string request =
      "POST /hold HTTP/1.1\r\nHost: h\r\nContent-Length: 3000\r\n\r\n" + std::string(3000, 'x');
  TestClient first = server.connect(), second = server.connect();
  ASSERT_TRUE(first.send(request));
  auto exchange = server.held();
  ASSERT_TRUE(second.send(request));
  expect_turned_away(second.response(), "too_many_bodies");
  // An unfinished one counts, too, and no more once its client has gone.
  {
    TestClient half = server.connect();
    ASSERT_TRUE(half.send(request.substr(0, request.size() - 1000)));
  }
  exchange->respond(200, {}, "");
  exchange.reset();
  EXPECT_EQ(first.response().status, 200);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(eventually([&] { return server->connections() == 1; }));
    ASSERT_TRUE(first.send(request));
    server.held()->respond(200, {}, "again");
    EXPECT_EQ(first.response().body, "again");
  }
}

TEST(HttpConnection, RefusesEndlessHeadsAndWhatIsNoRequest) {
  TestServer server;
  const std::pair<std::string, int> cases[] = {
      {"GET / HTTP/1.1\r\nHost: h\r\nA: " + std::string(20 << 10, 'a'), 431},
      {"GET /" + std::string(20 << 10, 'a'), 414},
      {"\x16\x03\x01 this is TLS\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nnot hex\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
       400},
  };
  for (const auto& [text, status] : cases) {
    TestClient client = server.connect();
    ASSERT_TRUE(client.send(text));
    EXPECT_EQ(client.response().status, status) << text.substr(0, 80);
    EXPECT_TRUE(client.at_end());
  }
  expect_alive(server);
}

// What follows a refused request may be somebody else's, smuggled in: it is not answered.
TEST(HttpConnection, ReadsNothingBehindARefusedRequest) {
  TestServer server;
  TestClient client = server.connect();
  ASSERT_TRUE(
      client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n"
                  "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" +
                  get("/smuggled")));
  const std::string all = client.read_to_end();
  EXPECT_EQ(all.rfind("HTTP/1.1 400 ", 0), 0u);
  EXPECT_EQ(all.find("smuggled"), std::string::npos);
}

TEST(HttpConnection, AnswersOthersWhileManyDawdle) {
  HttpServerOptions options;
  options.head_timeout = seconds(kHangSeconds);
  options.body_timeout = seconds(kHangSeconds);
  TestServer server(options);
  std::vector<TestClient> dawdlers;
  for (int i = 0; i < 64; ++i) {
    dawdlers.push_back(server.connect());
    TestClient& client = dawdlers.back();
    switch (i % 4) {
      case 0:
        break;
      case 1:
        ASSERT_TRUE(client.send("GET / HT"));
        break;
      case 2:
        ASSERT_TRUE(client.send("GET / HTTP/1.1\r\nHost: h\r\nA"));
        break;
      default:
        ASSERT_TRUE(client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nab"));
        break;
    }
  }
  expect_alive(server);
}

TEST(HttpConnection, EndsASlowHead) {
  HttpServerOptions options;
  options.head_timeout = seconds(1);
  TestServer server(options);
  TestClient client = server.connect();
  ASSERT_TRUE(client.send("GET / HTTP/1.1\r\nHost: h\r\n"));
  std::atomic<bool> ended{false};
  // A header every now and then: each comes in time, and the head never ends.
  std::thread dripping([&] {
    while (!ended && client.send("A: b\r\n")) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  });
  expect_alive(server);
  EXPECT_EQ(client.response().status, 408);
  ended = true;
  dripping.join();
}

TEST(HttpConnection, EndsASlowBody) {
  HttpServerOptions options;
  options.body_timeout = seconds(1);
  TestServer server(options);
  TestClient client = server.connect();
  ASSERT_TRUE(client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nab"));
  EXPECT_EQ(client.response().status, 408);
}

TEST(HttpConnection, ClosesSilentConnections) {
  HttpServerOptions options;
  options.head_timeout = seconds(1);
  options.idle_timeout = seconds(1);
  TestServer server(options);
  TestClient silent = server.connect(), idle = server.connect();
  ASSERT_TRUE(idle.send(get("/")));
  EXPECT_EQ(idle.response().status, 200);
  EXPECT_EQ(silent.read_to_end(), "");
  EXPECT_EQ(idle.read_to_end(), "");
}

TEST(HttpConnection, RefusesMoreConnectionsThanAllowed) {
  HttpServerOptions options;
  options.max_connections = 2;
  TestServer server(options);
  TestClient first = server.connect(), second = server.connect();
  ASSERT_TRUE(first.send(get("/hold")));
  ASSERT_TRUE(second.send(get("/hold")));
  const auto one = server.held(), two = server.held();
  {
    TestClient third = server.connect();
    expect_turned_away(third.response(), "too_many_connections");
    EXPECT_TRUE(third.at_end());
  }
  // Far beyond it, clients are closed unheard; nobody waits.
  std::vector<TestClient> crowd;
  for (int i = 0; i < 200; ++i) crowd.push_back(server.connect());
  for (TestClient& client : crowd) EXPECT_TRUE(client.at_end());
  crowd.clear();
  one->respond(200, {}, "one");
  two->respond(200, {}, "two");
  EXPECT_EQ(first.response().body, "one");
  EXPECT_EQ(second.response().body, "two");
  first.close();
  second.close();
  EXPECT_TRUE(eventually([&] { return server->connections() == 0; }));
  expect_alive(server);
}

TEST(HttpConnection, ReadsNoFurtherAheadThanItsLimit) {
  TestServer server;
  TestClient client = server.connect();
  ASSERT_TRUE(client.send(get("/hold")));
  const auto exchange = server.held();
  // Requests without end, while the first is not answered: the kernel's buffers fill, and then the
  // client waits.
  std::atomic<std::size_t> sent{0};
  std::string requests;
  for (int i = 0; i < 1000; ++i) requests += get("/ahead");
  constexpr std::size_t kEndless = 64u << 20;  // far more than the kernel holds
  std::thread sending([&] {
    while (sent < kEndless && client.send(requests)) sent += requests.size();
  });
  expect_alive(server);
  std::size_t before = 0;
  EXPECT_TRUE(eventually([&] {
    const std::size_t earlier = std::exchange(before, sent.load());
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    return earlier == before && before == sent;
  }));
  EXPECT_LT(sent.load(), kEndless);
  exchange->respond(200, {}, "first");
  EXPECT_EQ(client.response().body, "first");
  for (int i = 0; i < 100; ++i) EXPECT_EQ(client.response().body, "GET /ahead  ");
  ::shutdown(client.socket(), SHUT_RDWR);
  sending.join();
  expect_alive(server);
}

TEST(HttpConnection, BearsGarbageAndAbruptEnds) {
  TestServer server;
  std::mt19937 random(11);  // any seed
  const std::string good =
      get("/x") + "POST /y HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc";
  for (int i = 0; i < 300; ++i) {
    TestClient client = server.connect();
    std::string text = good.substr(0, random() % good.size());
    if (i % 2 == 0) {
      for (int k = 0; k < 20; ++k) text += static_cast<char>(random());
    }
    client.send(text);
    if (i % 3 == 0) client.reset();
    if (i % 3 == 1) client.end_sending();
  }
  expect_alive(server);
  EXPECT_TRUE(eventually([&] { return server->connections() == 0; }));
}

}  // namespace
}  // namespace llmpatch
