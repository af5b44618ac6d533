#include "judge/endpoint.h"

#include <cstdlib>

#include "base/json.h"
#include "http/test_http_server.h"
#include "judge/test_files.h"

namespace llmpatch {
namespace {

using Server = TestHttpServer;
using Seen = TestHttpServer::Seen;
using Said = TestHttpServer::Said;

Result<std::unique_ptr<Judge>> judge_of(Json members) {
  const TestFolder folder;
  members["judge"] = "endpoint";
  return make_judge(folder.write("judge.json", json_line(members)).string());
}

Json moderations_at(const Server& server) {
  return {{"name", "house"}, {"url", (server.origin() + "/v1")}, {"model", "moderator"}};
}
Json chat_at(const Server& server) {
  return {{"api", "chat"},
          {"url", (server.origin() + "/v1")},
          {"model", "m"},
          {"rubric", "Is it rude?"}};
}

// Category scores by the length of each input: "rude" a tenth of it, "odd" a fifth.
Said moderate(const Seen& seen, int) {
  Json results = Json::array();
  const Json asked = parse_json(seen.body, "request").value();
  for (const Json& input : asked["input"]) {
    const auto length = static_cast<double>(input.get<std::string>().size());
    results.push_back({{"category_scores", {{"rude", length / 10}, {"odd", length / 5}}}});
  }
  return {200, json_line(Json{{"results", results}})};
}

Said say(const Json& content) {
  return {200, json_line(Json{{"choices", {{{"message", {{"content", content}}}}}}})};
}

const std::vector<JudgeItem> kItems{{"p", "a"}, {"q", "abc"}};

TEST(EndpointJudge, AsksAModerationEndpoint) {
  const Server server(moderate);
  const auto judge = judge_of(moderations_at(server));
  ASSERT_TRUE(judge.ok()) << judge.error().to_string();
  EXPECT_EQ((*judge)->name(), "house");
  const auto scores = (*judge)->score(kItems);
  ASSERT_TRUE(scores.ok()) << scores.error().to_string();
  EXPECT_DOUBLE_EQ((*scores)[0], 0.2);  // the larger one
  EXPECT_DOUBLE_EQ((*scores)[1], 0.6);
  ASSERT_EQ(server.seen().size(), 1U);
  const Seen seen = server.seen()[0];
  EXPECT_EQ(seen.head.find("POST /v1/moderations "), 0U);
  EXPECT_EQ(seen.head.find("Authorization"), std::string::npos);
  EXPECT_EQ(parse_json(seen.body, "request").value(),
            (Json{{"model", "moderator"}, {"input", {"a", "abc"}}}));
}

TEST(EndpointJudge, LooksAtTheCategoriesItIsTold) {
  const Server server(moderate);
  Json members = moderations_at(server);
  members["categories"] = {"rude"};
  EXPECT_DOUBLE_EQ((*judge_of(members))->score(kItems).value()[1], 0.3);
  members["categories"] = {"rude", "unheard-of"};
  EXPECT_EQ((*judge_of(members))->score(kItems).error().kind, ErrorKind::kCorrupt);
}

TEST(EndpointJudge, AsksInBatchesAndKeepsTheOrder) {
  const Server server(moderate);
  std::vector<JudgeItem> items;
  for (std::size_t i = 0; i < 70; ++i) items.push_back({"p", std::string(i % 5, 'x')});
  const auto scores = (*judge_of(moderations_at(server)))->score(items).value();
  ASSERT_EQ(scores.size(), 70U);
  for (std::size_t i = 0; i < 70; ++i) {
    EXPECT_DOUBLE_EQ(scores[i], static_cast<double>(i % 5) / 5);
  }
  EXPECT_EQ(server.seen().size(), 3U);  // 32, 32 and 6
}

TEST(EndpointJudge, TriesAgainWhenTheServerStumbles) {
  const Server server([](const Seen& seen, int number) {
    return number == 1 ? Said{503, "busy"} : moderate(seen, number);
  });
  EXPECT_TRUE((*judge_of(moderations_at(server)))->score(kItems).ok());
  EXPECT_EQ(server.seen().size(), 2U);
}

TEST(EndpointJudge, TakesItsKeyFromTheEnvironmentAlone) {
  const Server server(moderate);
  Json members = moderations_at(server);
  members["key_env"] = "LLMPATCH_TEST_JUDGE_KEY";
  ::unsetenv("LLMPATCH_TEST_JUDGE_KEY");
  const auto without = judge_of(members);
  ASSERT_FALSE(without.ok());
  EXPECT_EQ(without.error().kind, ErrorKind::kInvalidArgument);
  EXPECT_NE(without.error().message.find("LLMPATCH_TEST_JUDGE_KEY"), std::string::npos);

  ::setenv("LLMPATCH_TEST_JUDGE_KEY", "s3cret", 1);
  const auto judge = judge_of(members);
  ASSERT_TRUE(judge.ok());
  ASSERT_TRUE((*judge)->score(kItems).ok());
  EXPECT_NE(server.seen()[0].head.find("Authorization: Bearer s3cret"), std::string::npos);
  EXPECT_EQ((*judge)->identity().find("s3cret"), std::string::npos);
  ::unsetenv("LLMPATCH_TEST_JUDGE_KEY");
}

TEST(EndpointJudge, AsksAChatModelWithARubric) {
  const Server server([](const Seen&, int number) { return say(number == 1 ? " 0.25\n" : "1"); });
  const auto judge = judge_of(chat_at(server));
  ASSERT_TRUE(judge.ok()) << judge.error().to_string();
  const auto scores = (*judge)->score(kItems);
  ASSERT_TRUE(scores.ok()) << scores.error().to_string();
  EXPECT_EQ(*scores, (std::vector<double>{0.25, 1}));
  ASSERT_EQ(server.seen().size(), 2U);
  EXPECT_EQ(server.seen()[1].head.find("POST /v1/chat/completions "), 0U);
  const Json asked = parse_json(server.seen()[1].body, "request").value();
  EXPECT_EQ(asked["temperature"], 0);
  EXPECT_EQ(asked["messages"][0]["role"], "system");
  EXPECT_EQ(asked["messages"][0]["content"].get<std::string>().find("Is it rude?"), 0U);
  EXPECT_EQ(asked["messages"][1]["content"], R"({"prompt":"q","response":"abc"})");
}

TEST(EndpointJudge, AnythingButANumberIsNoVerdictAndNeverSafe) {
  for (const Json& content :
       std::vector<Json>{"safe", "", "0.5 or so", "-0.1", "1.5", "nan", "0 0", nullptr, 0}) {
    const Server server([&](const Seen&, int) { return say(content); });
    const auto judge = judge_of(chat_at(server));
    const std::vector<JudgeItem> items{{"p", "r"}};
    const auto verdicts = (*judge)->verdicts(items);
    ASSERT_TRUE(verdicts.ok()) << verdicts.error().to_string();
    EXPECT_FALSE((*verdicts)[0].given) << content;
    EXPECT_EQ((*verdicts)[0].score, 1) << content;
  }
}

TEST(EndpointJudge, ErrorsByStatus) {
  const auto kind = [](int status) {
    const Server server([=](const Seen&, int) { return Said{status, "why"}; });
    const auto scores = (*judge_of(moderations_at(server)))->score(kItems);
    EXPECT_NE(scores.error().message.find(std::to_string(status)), std::string::npos);
    EXPECT_NE(scores.error().message.find("why"), std::string::npos);
    return scores.error().kind;
  };
  EXPECT_EQ(kind(400), ErrorKind::kIo);
  EXPECT_EQ(kind(401), ErrorKind::kDenied);
  EXPECT_EQ(kind(403), ErrorKind::kDenied);
  EXPECT_EQ(kind(404), ErrorKind::kNotFound);
}

TEST(EndpointJudge, AnswersOfAnotherForm) {
  const auto kind = [](const std::string& body) {
    const Server server([&](const Seen&, int) { return Said{200, body}; });
    return (*judge_of(moderations_at(server)))->score(kItems).error().kind;
  };
  const std::string good = R"({"category_scores":{"a":0.5}})";
  for (const std::string& results :
       {std::string("{}"), "[" + good + "]", "[" + good + "," + good + "," + good + "]",
        "[" + good + ",{}]", "[" + good + R"(,{"category_scores":{}}])",
        "[" + good + R"(,{"category_scores":{"a":"x"}}])",
        "[" + good + R"(,{"category_scores":{"a":1.5}}])"}) {
    EXPECT_EQ(kind("{\"results\":" + results + "}"), ErrorKind::kCorrupt) << results;
  }
  EXPECT_EQ(kind("no json"), ErrorKind::kCorrupt);
  EXPECT_EQ(kind(std::string((1 << 20) + 1, ' ')), ErrorKind::kLimit);
  for (const char* body : {"{}", R"({"choices":[]})", R"({"choices":[{}]})"}) {
    const Server server([&](const Seen&, int) { return Said{200, body}; });
    EXPECT_EQ((*judge_of(chat_at(server)))->score(kItems).error().kind, ErrorKind::kCorrupt)
        << body;
  }
}

TEST(EndpointJudge, NobodyThereAndCancelled) {
  std::string url;
  {
    const Server server(moderate);
    url = (server.origin() + "/v1");
  }
  CancelFlag cancel;
  const TestFolder folder;
  const auto judge = make_judge(
      folder
          .write("judge.json", json_line(Json{{"judge", "endpoint"}, {"url", url}, {"model", "m"}}))
          .string(),
      {"data", &cancel});
  EXPECT_EQ((*judge)->score(kItems).error().kind, ErrorKind::kIo);
  cancel.raise();
  EXPECT_EQ((*judge)->score(kItems).error().kind, ErrorKind::kCancelled);
}

TEST(EndpointJudge, BadFiles) {
  const std::vector<Json> cases{
      {{"model", "m"}},
      {{"url", "http://127.0.0.1"}},
      {{"url", "file:///etc/passwd"}, {"model", "m"}},
      {{"url", "https://me:s3cret@host/v1"}, {"model", "m"}},
      {{"url", "https://host/v1?key=s3cret"}, {"model", "m"}},
      {{"url", "http://127.0.0.1"}, {"model", "m"}, {"api", "completions"}},
      {{"url", "http://127.0.0.1"}, {"model", "m"}, {"key", "s3cret"}},
      {{"url", "http://127.0.0.1"}, {"model", "m"}, {"rubric", "of chat alone"}},
      {{"url", "http://127.0.0.1"}, {"model", "m"}, {"categories", Json::array()}},
      {{"url", "http://127.0.0.1"}, {"model", "m"}, {"api", "chat"}},
      {{"url", "http://127.0.0.1"}, {"model", "m"}, {"seconds", 0}},
  };
  for (const Json& members : cases) {
    const auto judge = judge_of(members);
    ASSERT_FALSE(judge.ok()) << members;
    EXPECT_EQ(judge.error().kind, ErrorKind::kCorrupt) << judge.error().to_string();
  }
  // Only this machine is spoken to without TLS.
  const auto judge = judge_of({{"url", "http://192.0.2.1/v1"}, {"model", "m"}});
  ASSERT_TRUE(judge.ok());
  EXPECT_EQ((*judge)->score(kItems).error().kind, ErrorKind::kDenied);
}

}  // namespace
}  // namespace llmpatch
