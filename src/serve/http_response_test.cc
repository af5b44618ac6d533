#include "serve/http_response.h"

#include <gtest/gtest.h>

namespace llmpatch {
namespace {

using State = HttpResponse::State;

// What comes after the head.
std::string body_of(const std::string& bytes) {
  const std::size_t end = bytes.find("\r\n\r\n");
  return end == std::string::npos ? "(no head)" : bytes.substr(end + 4);
}

struct Written {
  int wakes = 0;
  std::string bytes;
  HttpResponse response;
  explicit Written(const HttpResponseForm& form = {}) : response(form, [this] { ++wakes; }) {}
  State take() { return response.take(bytes); }
};

TEST(HttpResponse, WritesAWholeAnswer) {
  Written written;
  written.response.respond(200, {{"X-A", "b"}}, "hello");
  EXPECT_EQ(written.wakes, 1);
  EXPECT_EQ(written.take(), State::kWhole);
  EXPECT_EQ(written.bytes.rfind("HTTP/1.1 200 OK\r\nServer: llmpatch\r\nDate: ", 0), 0u);
  EXPECT_NE(written.bytes.find("\r\nX-A: b\r\n"), std::string::npos);
  EXPECT_NE(written.bytes.find("\r\nContent-Length: 5\r\nConnection: keep-alive\r\n"),
            std::string::npos);
  EXPECT_EQ(body_of(written.bytes), "hello");
}

TEST(HttpResponse, WritesPiecesAsChunks) {
  Written written;
  written.response.begin(200, {});
  EXPECT_EQ(written.take(), State::kOpen);
  EXPECT_NE(written.bytes.find("\r\nTransfer-Encoding: chunked\r\n"), std::string::npos);
  written.response.write("hello");
  written.response.write("");  // would end the answer
  written.response.write(std::string(16, 'x'));
  written.response.end();
  written.response.write("late");
  EXPECT_EQ(written.wakes, 2) << "one wake for all that was not taken yet";
  EXPECT_EQ(written.take(), State::kWhole);
  EXPECT_EQ(body_of(written.bytes), "5\r\nhello\r\n10\r\nxxxxxxxxxxxxxxxx\r\n0\r\n\r\n");
}

TEST(HttpResponse, HasNoBodyWhereThereIsNone) {
  HttpResponseForm head;
  head.bodyless = true;
  Written to_head(head);
  to_head.response.respond(200, {}, "hello");
  to_head.take();
  EXPECT_NE(to_head.bytes.find("\r\nContent-Length: 5\r\n"), std::string::npos);
  EXPECT_EQ(body_of(to_head.bytes), "");

  Written streamed_to_head(head);
  streamed_to_head.response.begin(200, {});
  streamed_to_head.response.write("hello");
  streamed_to_head.response.end();
  EXPECT_EQ(streamed_to_head.take(), State::kWhole);
  EXPECT_EQ(body_of(streamed_to_head.bytes), "");

  Written nothing;
  nothing.response.respond(204, {}, "");
  nothing.take();
  EXPECT_EQ(nothing.bytes.find("Content-Length"), std::string::npos);
}

TEST(HttpResponse, EndsAnOldClientsStreamByClosing) {
  HttpResponseForm old;
  old.http11 = false;
  Written written(old);
  written.response.begin(200, {});
  written.response.write("hello");
  written.response.end();
  EXPECT_EQ(written.take(), State::kWhole);
  EXPECT_EQ(body_of(written.bytes), "hello");
  EXPECT_NE(written.bytes.find("\r\nConnection: close\r\n"), std::string::npos);
  EXPECT_FALSE(written.response.keep_alive());
}

TEST(HttpResponse, SendsNothingThatBeginsAnotherAnswer) {
  const HttpHeaders bad[] = {{{"A", "b\r\nSet-Cookie: c"}},
                             {{"A", "b\nc"}},
                             {{"A\r\nB", "c"}},
                             {{"A:", "b"}},
                             {{"", "b"}},
                             {{"content-length", "9"}},
                             {{"Transfer-Encoding", "x"}}};
  for (const HttpHeaders& headers : bad) {
    for (const bool stream : {false, true}) {
      Written written;
      if (stream) {
        written.response.begin(200, headers);
        written.response.write("body");
        written.response.end();
      } else {
        written.response.respond(200, headers, "body");
      }
      EXPECT_EQ(written.take(), State::kWhole);
      EXPECT_EQ(written.bytes.rfind("HTTP/1.1 500 ", 0), 0u) << written.bytes;
      EXPECT_EQ(body_of(written.bytes), "");
      EXPECT_FALSE(written.response.keep_alive());
    }
  }
  Written written;
  written.response.respond(100, {}, "");
  written.take();
  EXPECT_EQ(written.bytes.rfind("HTTP/1.1 500 ", 0), 0u);
}

TEST(HttpResponse, BreaksOffWhatIsNotRead) {
  HttpResponseForm form;
  form.max_unsent = 1000;
  Written written(form);
  written.response.begin(200, {});
  EXPECT_EQ(written.take(), State::kOpen);
  written.response.sent(written.bytes.size());
  const std::string piece(400, 'x');
  written.response.write(piece);
  written.response.write(piece);
  EXPECT_EQ(written.take(), State::kOpen);  // taken, and still not sent
  written.response.write(piece);
  EXPECT_EQ(written.take(), State::kBroken);
}

TEST(HttpResponse, CountsNoMoreWhatWasSent) {
  HttpResponseForm form;
  form.max_unsent = 1000;
  Written written(form);
  written.response.begin(200, {});
  for (int i = 0; i < 100; ++i) {
    written.response.write(std::string(400, 'x'));
    written.bytes.clear();
    ASSERT_EQ(written.take(), State::kOpen) << i;
    written.response.sent(written.bytes.size());
  }
}

TEST(HttpResponse, SaysOnceThatTheClientHasGone) {
  int gone = 0;
  Written written;
  written.response.on_gone([&] { gone += 100; });
  written.response.on_gone([&] {  // instead; and it may come back
    ++gone;
    written.response.end();
  });
  written.response.detach(true);
  written.response.detach(true);
  EXPECT_EQ(gone, 1);
  written.response.on_gone([&] { ++gone; });  // at once
  EXPECT_EQ(gone, 2);
  written.response.respond(200, {}, "to nobody");
  EXPECT_EQ(written.wakes, 0);
}

TEST(HttpResponse, SaysNothingOnceTheAnswerIsWhole) {
  int gone = 0;
  Written written;
  written.response.on_gone([&] { ++gone; });
  written.response.respond(200, {}, "hello");
  written.response.detach(true);
  written.response.on_gone([&] { ++gone; });
  EXPECT_EQ(gone, 0);
}

// The function may hold the last owner of the exchange, which comes back when it is destroyed.
TEST(HttpResponse, MayBeOwnedByWhatItCalls) {
  struct Owner {
    std::shared_ptr<HttpResponse> response;
    ~Owner() { response->abandon(); }
  };
  for (const int end : {0, 1, 2, 3}) {
    auto response = std::make_shared<HttpResponse>(HttpResponseForm{}, [] {});
    std::weak_ptr<HttpResponse> watched = response;
    response->on_gone([owner = std::make_shared<Owner>(Owner{response})] {});
    switch (end) {
      case 0:
        response->detach(true);
        break;
      case 1:
        response->respond(200, {}, "");
        break;
      case 2:
        response->on_gone({});
        break;
      default:
        response->abandon();
        break;
    }
    response.reset();
    EXPECT_TRUE(watched.expired()) << end;
  }
}

TEST(HttpResponse, IsBrokenOffWhenNobodyIsLeft) {
  Written never_begun;
  never_begun.response.abandon();
  EXPECT_EQ(never_begun.take(), State::kBroken);
  Written half;
  half.response.begin(200, {});
  half.response.abandon();
  EXPECT_EQ(half.take(), State::kBroken);
  Written whole;
  whole.response.respond(200, {}, "");
  whole.response.abandon();
  EXPECT_EQ(whole.take(), State::kWhole);
}

}  // namespace
}  // namespace llmpatch
