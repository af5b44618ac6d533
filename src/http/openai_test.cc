#include "http/openai.h"

#include <ctime>

#include "http/test_http_server.h"

namespace llmpatch {
namespace {

using Said = TestHttpServer::Said;
using Seen = TestHttpServer::Seen;

constexpr std::uint64_t kLongest = 4096;

HttpOptions quick() {
  HttpOptions options;
  options.attempts = 2;
  options.first_wait = std::chrono::milliseconds(1);
  options.slow_limit = std::chrono::seconds(2);
  return options;
}

OpenAiClient client_of(const TestHttpServer& server, const std::string& key = "") {
  return OpenAiClient::create({server.origin() + "/v1", "m", key}, quick(), "learn", "teacher")
      .value();
}

Result<Json> ask(OpenAiClient client) {
  LLMPATCH_ASSIGN(const HttpAnswer answer, client.post("/completions", {{"a", 1}}, kLongest));
  return client.read(answer);
}

// The error of an answer with that status and body.
Error error_of(const Said& said, const std::string& key = "") {
  const TestHttpServer server([&](const Seen&, int) { return said; });
  const auto answer = ask(client_of(server, key));
  EXPECT_FALSE(answer.ok()) << said.body;
  return answer.ok() ? Error() : answer.error();
}

TEST(OpenAiUrl, IsAnAddressWithoutSecrets) {
  EXPECT_EQ(openai_url("https://host/v1").value(), "https://host/v1");
  EXPECT_EQ(openai_url("http://127.0.0.1:8080/v1//").value(), "http://127.0.0.1:8080/v1");
  for (const char* url :
       {"", "host/v1", "ftp://host/v1", "https://", "file:///etc/passwd", "https://me@host/v1",
        "https://me:s3cret@host/v1", "https://host/v1?key=s3cret", "https://host/v1#s3cret",
        "https://ho st/v1"}) {
    const auto checked = openai_url(url);
    ASSERT_FALSE(checked.ok()) << url;
    EXPECT_EQ(checked.error().kind, ErrorKind::kInvalidArgument) << url;
    EXPECT_EQ(checked.error().to_string().find("s3cret"), std::string::npos) << url;
  }
}

TEST(OpenAiClient, PostsJsonWithTheKey) {
  const TestHttpServer server([](const Seen&, int) { return Said{200, R"({"b":2})"}; });
  const auto answer = ask(client_of(server, "s3cret"));
  ASSERT_TRUE(answer.ok()) << answer.error().to_string();
  EXPECT_EQ(*answer, (Json{{"b", 2}}));
  ASSERT_EQ(server.seen().size(), 1U);
  const Seen seen = server.seen()[0];
  EXPECT_EQ(seen.head.find("POST /v1/completions "), 0U);
  EXPECT_NE(seen.head.find("Authorization: Bearer s3cret"), std::string::npos);
  EXPECT_NE(seen.head.find("Content-Type: application/json"), std::string::npos);
  EXPECT_EQ(seen.body, R"({"a":1})");
}

TEST(OpenAiClient, TellsKindsOfErrorsByTheirStatus) {
  EXPECT_EQ(error_of({400, "x"}).kind, ErrorKind::kIo);
  EXPECT_EQ(error_of({401, "x"}).kind, ErrorKind::kDenied);
  EXPECT_EQ(error_of({403, "x"}).kind, ErrorKind::kDenied);
  EXPECT_EQ(error_of({404, "x"}).kind, ErrorKind::kNotFound);
  EXPECT_EQ(error_of({429, "x"}).kind, ErrorKind::kLimit);
  EXPECT_EQ(error_of({500, "x"}).kind, ErrorKind::kIo);
  EXPECT_EQ(error_of({307, "x", "Location: http://127.0.0.1:1/\r\n"}).kind, ErrorKind::kIo);
}

TEST(OpenAiClient, SaysWhatTheServerSaysOnOneLine) {
  const auto says = [](const std::string& body) { return error_of({400, body}).message; };
  EXPECT_NE(
      says(R"({"error":{"message":"no such\nmodel","code":null}})").find(R"("no such\nmodel")"),
      std::string::npos);
  EXPECT_NE(says(R"({"error":"busy"})").find("it said \"busy\""), std::string::npos);
  EXPECT_NE(says("<html>\r\nproxy").find(R"("<html>\r\nproxy")"), std::string::npos);
  // Of any form, however long, of whatever bytes.
  for (const std::string& body :
       {std::string(), std::string("{}"), std::string("[1]"), std::string(R"({"error":[]})"),
        std::string(R"({"error":{"message":7}})"), std::string("\xff\x1b[31m\0x", 8),
        std::string(100'000, 'x'), std::string(2000, '[')}) {
    const std::string message = says(body);
    EXPECT_EQ(message.find_first_of("\n\r\x1b\xff"), std::string::npos) << body.substr(0, 20);
    EXPECT_LT(message.size(), 1000U);
  }
}

TEST(OpenAiClient, ShowsNoKeyThatTheServerSays) {
  const Error error = error_of(
      {401, R"({"error":{"message":"bad key s3cret-s3cret, s3cret-s3cret"}})"}, "s3cret-s3cret");
  EXPECT_EQ(error.to_string().find("s3cret"), std::string::npos) << error.to_string();
  EXPECT_NE(error.message.find("bad key ***, ***"), std::string::npos) << error.to_string();
}

TEST(OpenAiClient, RefusesWhatIsNoJson) {
  for (const std::string& body :
       {std::string(), std::string("OK"), std::string(R"({"choices":[)"),
        std::string("{\"a\":\"\xff\"}"), std::string(200, '['), std::string(R"({"a":1,"a":2})")}) {
    EXPECT_EQ(error_of({200, body}).kind, ErrorKind::kCorrupt) << body;
  }
  EXPECT_EQ(error_of({200, std::string(kLongest + 1, ' ')}).kind, ErrorKind::kLimit);
}

TEST(OpenAiClient, AsksAgainWhereAnAnswerIsCut) {
  const TestHttpServer server([](const Seen&, int number) {
    return Said{200, R"({"b":2})", "", number == 1 ? std::size_t{3} : 0};
  });
  EXPECT_TRUE(ask(client_of(server)).ok());
  EXPECT_EQ(server.seen().size(), 2U);
}

// Seconds from the first to the second request where the first is answered with that header.
double waited(const std::string& retry_after) {
  using Clock = std::chrono::steady_clock;
  std::vector<Clock::time_point> times;
  const TestHttpServer server([&](const Seen&, int) {
    times.push_back(Clock::now());
    return times.size() == 1 ? Said{429, "", "Retry-After: " + retry_after + "\r\n"}
                             : Said{200, "{}"};
  });
  EXPECT_TRUE(ask(client_of(server)).ok());
  EXPECT_EQ(times.size(), 2U);
  return times.size() < 2 ? 0 : std::chrono::duration<double>(times[1] - times[0]).count();
}

TEST(OpenAiClient, ComesBackNoEarlierThanTheServerAsks) {
  EXPECT_GE(waited("1"), 1.0);
  // A date is in whole seconds, so the time to one is up to a second less.
  char date[64];
  const std::time_t then = std::time(nullptr) + 2;
  std::tm parts{};
  std::strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&then, &parts));
  EXPECT_GE(waited(date), 0.9);
  // Neither: as if it asked for nothing.
  waited("soon");
  waited("Thu, 01 Jan 1970 00:00:01 GMT");
}

Result<std::vector<OpenAiChoice>> chat(const std::string& text) {
  return openai_chat_choices(parse_json(text, "answer").value(), "answer");
}
Result<std::vector<OpenAiChoice>> completions(const std::string& text) {
  return openai_text_choices(parse_json(text, "answer").value(), "answer");
}

TEST(OpenAiChoices, AreTextsAndWhetherTheyEnded) {
  const auto said = chat(R"({"id":"x","choices":[
      {"message":{"role":"assistant","content":"one"},"finish_reason":"stop","index":0},
      {"message":{"content":"two"},"finish_reason":"length"},
      {"message":{"content":"three"},"finish_reason":null},
      {"message":{"content":"four"}},
      {"message":{"content":null},"finish_reason":"content_filter"},
      {"message":{"content":null,"refusal":"I can't."},"finish_reason":"stop"},
      {"message":{"content":"","refusal":null},"finish_reason":"stop"},
      {"message":{}}]})");
  ASSERT_TRUE(said.ok()) << said.error().to_string();
  const std::vector<std::pair<std::string, bool>> expected{
      {"one", true}, {"two", false},     {"three", false}, {"four", false},
      {"", false},   {"I can't.", true}, {"", true},       {"", false}};
  ASSERT_EQ(said->size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ((*said)[i].text, expected[i].first) << i;
    EXPECT_EQ((*said)[i].complete, expected[i].second) << i;
  }
  const auto raw =
      completions(R"({"choices":[{"text":" on","finish_reason":"stop"},{"text":""}]})");
  ASSERT_TRUE(raw.ok()) << raw.error().to_string();
  EXPECT_EQ((*raw)[0].text, " on");
  EXPECT_TRUE((*raw)[0].complete);
  EXPECT_FALSE((*raw)[1].complete);
}

TEST(OpenAiChoices, OfAnotherFormAreErrors) {
  for (const char* text :
       {"[]", "7", "null", "{}", R"({"choices":null})", R"({"choices":{}})", R"({"choices":[]})",
        R"({"choices":["x"]})", R"({"choices":[null]})", R"({"choices":[{}]})",
        R"({"choices":[{"message":"x","text":1}]})",
        R"({"choices":[{"message":{"content":7},"text":null}]})",
        R"({"choices":[{"message":{"content":["x"]},"text":["x"]}]})",
        R"({"choices":[{"message":{"content":"","refusal":1},"text":{}}]})",
        R"({"choices":[{"message":{"content":"x"},"text":"x","finish_reason":1}]})",
        R"({"choices":[{"message":{"content":"x"},"text":"x"},{"message":{"content":1}}]})"}) {
    for (const auto& choices : {chat(text), completions(text)}) {
      ASSERT_FALSE(choices.ok()) << text;
      EXPECT_EQ(choices.error().kind, ErrorKind::kCorrupt) << text;
      EXPECT_NE(choices.error().message.find("answer"), std::string::npos) << text;
    }
  }
}

}  // namespace
}  // namespace llmpatch
