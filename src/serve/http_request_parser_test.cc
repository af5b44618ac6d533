#include "serve/http_request_parser.h"

#include <gtest/gtest.h>

#include <random>

namespace llmpatch {
namespace {

using State = HttpRequestParser::State;

struct Outcome {
  State state = State::kHead;
  int status = 0;
  HttpServerRequest request;
  std::string rest;
  bool keep_alive = false;
};

// Parses `text`, given `step` bytes at a time.
Outcome parse(std::string_view text, std::size_t step = std::string::npos,
              const HttpRequestLimits& limits = {}) {
  HttpRequestParser parser(limits);
  Outcome outcome;
  std::string input;
  while (!text.empty() && outcome.state != State::kWhole && outcome.state != State::kRefused) {
    const std::string_view piece = text.substr(0, step);
    text.remove_prefix(piece.size());
    input.append(piece);
    outcome.state = parser.take(input);
  }
  if (outcome.state == State::kRefused) outcome.status = parser.refusal().status;
  if (outcome.state == State::kWhole) {
    outcome.keep_alive = parser.keep_alive();
    outcome.request = parser.request();
  }
  outcome.rest = input + std::string(text);
  return outcome;
}

TEST(HttpRequestParser, ReadsARequest) {
  const std::string text =
      "POST /v1/x%20y?a=b&c HTTP/1.1\r\nHost: here\r\nContent-Length: 5\r\nX-Name:  a b\t\r\n"
      "x-name: second\r\n\r\nhelloGET";
  for (const std::size_t step : {std::string::npos, std::size_t{1}, std::size_t{7}}) {
    const Outcome outcome = parse(text, step);
    ASSERT_EQ(outcome.state, State::kWhole) << outcome.status;
    EXPECT_EQ(outcome.request.method, "POST");
    EXPECT_EQ(outcome.request.path, "/v1/x%20y");
    EXPECT_EQ(outcome.request.query, "a=b&c");
    EXPECT_EQ(outcome.request.body, "hello");
    EXPECT_EQ(outcome.request.header("X-NAME"), "a b");
    EXPECT_EQ(outcome.request.header("absent"), "");
    EXPECT_EQ(outcome.request.headers.size(), 4u);
    EXPECT_TRUE(outcome.keep_alive);
    EXPECT_EQ(outcome.rest, "GET");
  }
}

TEST(HttpRequestParser, JoinsChunksAndForgetsTheTrailer) {
  const std::string text =
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n"
      "3\r\nabc\r\nA;name=\"v\"\r\n0123456789\r\n0\r\nAuthorization: Bearer x\r\n\r\nnext";
  for (const std::size_t step : {std::string::npos, std::size_t{1}, std::size_t{5}}) {
    const Outcome outcome = parse(text, step);
    ASSERT_EQ(outcome.state, State::kWhole) << outcome.status;
    EXPECT_EQ(outcome.request.body, "abc0123456789");
    EXPECT_EQ(outcome.request.header("Authorization"), "");
    EXPECT_EQ(outcome.rest, "next");
  }
}

TEST(HttpRequestParser, KnowsWhetherTheConnectionGoesOn) {
  EXPECT_TRUE(parse("GET / HTTP/1.1\r\nHost: h\r\n\r\n").keep_alive);
  EXPECT_FALSE(parse("GET / HTTP/1.1\r\nHost: h\r\nConnection: x, Close\r\n\r\n").keep_alive);
  EXPECT_FALSE(parse("GET / HTTP/1.0\r\n\r\n").keep_alive);
  EXPECT_TRUE(parse("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").keep_alive);
}

TEST(HttpRequestParser, OverlooksOneEmptyLineBeforeARequest) {
  EXPECT_EQ(parse("\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 1).state, State::kWhole);
  EXPECT_EQ(parse("\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n").status, 400);
}

TEST(HttpRequestParser, RefusesWhatIsNoRequest) {
  using namespace std::string_literals;
  const std::string head = "GET / HTTP/1.1\r\nHost: h\r\n", post = "POST / HTTP/1.1\r\nHost: h\r\n";
  const std::string chunked = post + "Transfer-Encoding: chunked\r\n\r\n";
  const std::pair<std::string, int> cases[] = {
      // The request line.
      {"\x16\x03\x01\x02\x00\x01 a\r\n\r\n"s, 400},
      {"GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"GET / HTTP/1.1 \r\nHost: h\r\n\r\n", 505},
      {"GET /\r\nHost: h\r\n\r\n", 400},
      {"GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505},
      {"GET / http/1.1\r\nHost: h\r\n\r\n", 505},
      {std::string(21, 'A') + " / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"G@T / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"GET / HTTP/1.1\nHost: h\n\r\n\r\n", 505},
      // The target.
      {"GET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"GET * HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"GET /a\0b HTTP/1.1\r\nHost: h\r\n\r\n"s, 400},
      {"GET /a\x7f HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"GET /\xc3\xa4 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"GET /a%00 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"GET /a%0d%0a HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"GET /a%7F HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"GET /a%2 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"GET /a%zz HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      // Headers.
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {head + "Host: other\r\n\r\n", 400},
      {head + "A: b\r\n folded\r\n\r\n", 400},
      {head + "A: b\r\n\tfolded\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\n Host: h\r\n\r\n", 400},
      {head + "A : b\r\n\r\n", 400},
      {head + ": b\r\n\r\n", 400},
      {head + "A\r\n\r\n", 400},
      {head + "A: b\0c\r\n\r\n"s, 400},
      {head + "A: b\rc\r\n\r\n", 400},
      {head + "A: b\nC: d\r\n\r\n", 400},
      {head + "A: b\x01\r\n\r\n", 400},
      {head + "Expect: miracles\r\n\r\n", 417},
      // Where the body ends.
      {post + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {post + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", 400},
      {post + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400},
      {post + "Content-Length: 3, 3\r\n\r\nabc", 400},
      {post + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400},
      {post + "Content-Length: +3\r\n\r\nabc", 400},
      {post + "Content-Length: -3\r\n\r\nabc", 400},
      {post + "Content-Length: 0x3\r\n\r\nabc", 400},
      {post + "Content-Length: 3 3\r\n\r\nabc", 400},
      {post + "Content-Length:\r\n\r\n", 400},
      {post + "Transfer-Encoding: gzip\r\n\r\n", 501},
      {post + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
      {post + "Transfer-Encoding: chunked, identity\r\n\r\n", 501},
      {post + "Transfer-Encoding: xchunked\r\n\r\n", 501},
      {post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {chunked + "x\r\nabc\r\n0\r\n\r\n", 400},
      {chunked + "-1\r\nabc\r\n0\r\n\r\n", 400},
      {chunked + "3\nabc\r\n0\r\n\r\n", 400},
      {chunked + "3\r\nabcd\r\n0\r\n\r\n", 400},
      {chunked + "3 \r\nabc\r\n0\r\n\r\n", 400},
      {chunked + "3;a\nb\r\nabc\r\n0\r\n\r\n", 400},
      {chunked + "3\r\nabc\n0\r\n\r\n", 400},
      {chunked + "0x3\r\nabc\r\n0\r\n\r\n", 400},
      {chunked + "\r\n", 400},
      {chunked + "0\r\nbad trailer\r\n\r\n", 400},
      {chunked + "0\r\nA: b\nC: d\r\n\r\n", 400},
  };
  for (const auto& [text, status] : cases) {
    for (const std::size_t step : {std::string::npos, std::size_t{1}}) {
      const Outcome outcome = parse(text, step);
      EXPECT_EQ(outcome.state, State::kRefused) << text << " by " << step;
      EXPECT_EQ(outcome.status, status) << text << " by " << step;
    }
  }
}

TEST(HttpRequestParser, HoldsItsLimits) {
  HttpRequestLimits limits;
  limits.head = 2048;
  limits.target = 64;
  limits.headers = 5;
  limits.body = 10;
  const auto status = [&](const std::string& text) { return parse(text, 1, limits).status; };
  const std::string host = " HTTP/1.1\r\nHost: h\r\n";

  EXPECT_EQ(parse("GET /" + std::string(63, 'a') + host + "\r\n", 1, limits).state, State::kWhole);
  EXPECT_EQ(status("GET /" + std::string(64, 'a') + host + "\r\n"), 414);
  EXPECT_EQ(status("GET /" + std::string(5000, 'a')), 414);  // before its end is seen

  // 2048 bytes in all fit, and not one more.
  const std::string start = "GET /" + host + "A: ";
  const std::string padding(2048 - start.size() - 4, 'b');
  EXPECT_EQ(parse(start + padding + "\r\n\r\n", 1, limits).state, State::kWhole);
  EXPECT_EQ(status(start + padding + "b\r\n\r\n"), 431);
  EXPECT_EQ(status(start + std::string(9000, 'b')), 431);  // before its end is seen

  std::string headers = "GET /" + host;
  for (int i = 0; i < 4; ++i) headers += "A: b\r\n";
  EXPECT_EQ(parse(headers + "\r\n", 1, limits).state, State::kWhole);
  EXPECT_EQ(status(headers + "A: b\r\n\r\n"), 431);

  const std::string post = "POST /" + host;
  EXPECT_EQ(parse(post + "Content-Length: 10\r\n\r\n0123456789", 1, limits).state, State::kWhole);
  EXPECT_EQ(status(post + "Content-Length: 11\r\n\r\n"), 413);  // before any of it has come
  const std::string chunked = post + "Transfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(parse(chunked + "5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n", 1, limits).state,
            State::kWhole);
  EXPECT_EQ(status(chunked + "5\r\n01234\r\n6\r\n"), 413);
  EXPECT_EQ(status(chunked + "b\r\n"), 413);
  // 2^64 + 5: a size that a careless reader takes for 5.
  EXPECT_EQ(status(chunked + "10000000000000005\r\n01234\r\n0\r\n\r\n"), 413);
  EXPECT_EQ(status(chunked + "1;" + std::string(9000, 'e')), 400);
  EXPECT_EQ(status(chunked + "0\r\nA: " + std::string(9000, 'b')), 400);
  // Lines that are short, and too many for so little data.
  std::string trailer, extensions;
  for (int i = 0; i < 400; ++i) trailer += "A: b\r\n";
  EXPECT_EQ(status(chunked + "0\r\n" + trailer), 400);
  for (int i = 0; i < 9; ++i) extensions += "1;" + std::string(900, 'e') + "\r\na\r\n";
  EXPECT_EQ(status(chunked + extensions + "0\r\n\r\n"), 400);
}

TEST(HttpRequestParser, SaysWhoWaitsForLeaveToSend) {
  const auto expects = [](std::string input) {
    HttpRequestParser parser({});
    parser.take(input);
    return parser.expects_continue();
  };
  EXPECT_TRUE(
      expects("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-Continue\r\n\r\n"));
  EXPECT_FALSE(expects("GET / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n"));
  EXPECT_FALSE(expects("POST / HTTP/1.0\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"));
}

// Bytes that are almost a request, cut and changed at random: no crash, and never more kept than
// the limits allow.
TEST(HttpRequestParser, BearsAnything) {
  const std::string good =
      "POST /a?b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
  HttpRequestLimits limits;
  limits.head = 1024;
  limits.body = 1024;
  std::mt19937 random(7);  // any seed
  for (int round = 0; round < 20'000; ++round) {
    std::string text = good;
    for (int i = 0; i < 3; ++i) {
      const std::size_t at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.erase(at, random() % 4);
          break;
        default:
          text.insert(at, text.substr(random() % text.size(), random() % 20));
          break;
      }
    }
    const Outcome outcome = parse(text, 1 + random() % 40, limits);
    if (outcome.state == State::kWhole) {
      EXPECT_LE(outcome.request.body.size(), limits.body);
      EXPECT_EQ(outcome.request.path.front(), '/');
    }
  }
}

}  // namespace
}  // namespace llmpatch
