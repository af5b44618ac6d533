#include "learn/teacher_endpoint.h"

#include <unistd.h>

#include <fstream>

#include "base/file.h"
#include "http/test_http_server.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;
using Said = TestHttpServer::Said;
using Seen = TestHttpServer::Seen;

Prompt prompt(const std::string& text) {
  Prompt made;
  made.messages = {{"user", text}};
  return made;
}

std::vector<Prompt> prompts(std::size_t count) {
  std::vector<Prompt> made;
  for (std::size_t i = 0; i < count; ++i) made.push_back(prompt("p" + std::to_string(i)));
  return made;
}

Json asked_of(const Seen& seen) { return parse_json(seen.body, "request").value(); }

// What a chat request's user says last, or a raw one's text.
std::string text_of(const Json& asked) {
  if (asked.contains("prompt")) return asked["prompt"].get<std::string>();
  return asked["messages"].back()["content"].get<std::string>();
}

// `count` answers "TEXT/SEED+i", the odd ones cut.
Said answers_to(const Json& asked, std::size_t count) {
  Json choices = Json::array();
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t number = asked["seed"].get<std::uint64_t>() + i;
    const std::string text = text_of(asked) + "/" + std::to_string(number);
    choices.push_back({{"text", text},
                       {"message", {{"content", text}}},
                       {"finish_reason", number % 2 == 0 ? "stop" : "length"}});
  }
  return {200, json_line(Json{{"choices", choices}})};
}

Said answer(const Seen& seen, int) {
  const Json asked = asked_of(seen);
  return answers_to(asked, asked.value("n", std::size_t{1}));
}

class AskEndpoint : public ::testing::Test {
 protected:
  void TearDown() override { fs::remove(file_); }

  Result<std::vector<Answers>> ask(const TestHttpServer& server, const std::vector<Prompt>& prompts,
                                   PromptFormat format = PromptFormat::kChat) {
    endpoint_.url = server.origin() + "/v1/";
    endpoint_.model = "m";
    endpoint_.first_wait = std::chrono::milliseconds(1);
    endpoint_.timeout = std::chrono::seconds(5);
    return ask_endpoint(endpoint_, prompts, std::vector<PromptFormat>(prompts.size(), format),
                        settings_, file_, &cancel_, progress_);
  }
  ErrorKind kind_of(const Said& said, std::size_t count = 1) {
    const TestHttpServer server([&](const Seen&, int) { return said; });
    endpoint_.attempts = 2;
    const auto answers = ask(server, prompts(count));
    EXPECT_FALSE(answers.ok()) << said.body;
    return answers.ok() ? ErrorKind::kInternal : answers.error().kind;
  }
  std::vector<std::string> lines() const {
    std::ifstream in(file_);
    std::vector<std::string> found;
    for (std::string line; std::getline(in, line);) found.push_back(line);
    return found;
  }
  std::string bytes() const {
    const auto read = read_file(file_, 1 << 20, "answers");
    return read.ok() ? *read : "";
  }

  fs::path file_ =
      fs::temp_directory_path() / ("llmpatch-teacher-" + std::to_string(::getpid()) + ".jsonl");
  TeacherEndpoint endpoint_;
  AnswerSettings settings_;
  CancelFlag cancel_;
  ProgressFn progress_;
};

TEST(EndpointRequest, IsWhatTheEngineWouldBeAsked) {
  AnswerSettings settings;
  settings.max_tokens = 48;
  settings.sampling.seed = 7;
  settings.system = "Be good.";
  Prompt turns;
  turns.messages = {{"user", "a"}, {"assistant", "b"}, {"user", "c"}};
  EXPECT_EQ(endpoint_request("m", turns, PromptFormat::kChat, settings, 0, 1).value(),
            parse_json(R"({"model":"m","max_tokens":48,"temperature":0.0,"top_p":1.0,"seed":7,
                           "messages":[{"role":"system","content":"Be good."},
                                       {"role":"user","content":"a"},
                                       {"role":"assistant","content":"b"},
                                       {"role":"user","content":"c"}]})",
                       "expected")
                .value());
  settings.sampling = {.temperature = 1, .top_p = 0.9F, .seed = 7};
  EXPECT_EQ(endpoint_request("m", prompt("On"), PromptFormat::kRaw, settings, 3, 5).value(),
            parse_json(R"({"model":"m","max_tokens":48,"temperature":1.0,"top_p":0.9,"seed":10,
                           "n":5,"prompt":"Be good.\n\nOn"})",
                       "expected")
                .value());
  settings.system.clear();
  settings.sampling.seed = UINT64_MAX;  // a seed is an integer of 64 bits with a sign elsewhere
  const Json last = endpoint_request("m", prompt("On"), PromptFormat::kRaw, settings, 0, 1).value();
  EXPECT_EQ(last["prompt"], "On");
  EXPECT_EQ(last["seed"], INT64_MAX);
  EXPECT_EQ(endpoint_request("m", turns, PromptFormat::kRaw, settings, 0, 1).error().kind,
            ErrorKind::kInvalidArgument);
}

TEST_F(AskEndpoint, AnswersInOrderAndOncePerPrompt) {
  const TestHttpServer server(answer);
  std::vector<Prompt> all = prompts(9);
  all.push_back(all[2]);
  std::vector<std::uint64_t> seen;
  progress_ = [&](std::uint64_t done, std::uint64_t total, const std::string&) {
    seen.push_back(done);
    EXPECT_EQ(total, 9U);
  };
  const auto answers = ask(server, all);
  ASSERT_TRUE(answers.ok()) << answers.error().to_string();
  ASSERT_EQ(answers->size(), 10U);
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_EQ((*answers)[i].texts, std::vector<std::string>{all[i].text() + "/0"});
    EXPECT_EQ((*answers)[i].complete, std::vector<bool>{true});
  }
  EXPECT_EQ(server.seen().size(), 9U);
  EXPECT_EQ(seen, (std::vector<std::uint64_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  const auto kept = lines();
  ASSERT_EQ(kept.size(), 9U);
  for (std::size_t i = 0; i < 9; ++i) {
    EXPECT_EQ(parse_json(kept[i], "line")->at("prompt"), "p" + std::to_string(i));
  }
  // All there: nobody is asked, and the file stays.
  const std::string before = bytes();
  progress_ = {};
  const auto again = ask(server, all);
  ASSERT_TRUE(again.ok()) << again.error().to_string();
  EXPECT_EQ((*again)[9].texts, (*answers)[9].texts);
  EXPECT_EQ(server.seen().size(), 9U);
  EXPECT_EQ(bytes(), before);
  // Killed before the file was put in order it is so now.
  std::ofstream out(file_, std::ios::trunc);
  for (auto line = kept.rbegin(); line != kept.rend(); ++line) out << *line << "\n";
  out.close();
  EXPECT_TRUE(ask(server, all).ok());
  EXPECT_EQ(server.seen().size(), 9U);
  EXPECT_EQ(bytes(), before);
}

TEST_F(AskEndpoint, ContinuesRawTextAndKeepsFormsApart) {
  const TestHttpServer server(answer);
  ASSERT_TRUE(ask(server, prompts(1), PromptFormat::kRaw).ok());
  EXPECT_EQ(server.seen()[0].head.find("POST /v1/completions "), 0U);
  // The same prompt as chat is another one.
  EXPECT_EQ(ask(server, prompts(1)).error().kind, ErrorKind::kCorrupt);
  fs::remove(file_);
  ASSERT_TRUE(ask(server, prompts(1)).ok());
  EXPECT_EQ(server.seen().back().head.find("POST /v1/chat/completions "), 0U);
}

TEST_F(AskEndpoint, AsksForSeveralAtOnceAndForWhatIsMissing) {
  settings_.samples = 20;
  const TestHttpServer all(answer);
  const auto at_once = ask(all, prompts(1));
  ASSERT_TRUE(at_once.ok()) << at_once.error().to_string();
  ASSERT_EQ(all.seen().size(), 2U);
  EXPECT_EQ(asked_of(all.seen()[0])["n"], 16);
  EXPECT_EQ(asked_of(all.seen()[1])["n"], 4);
  EXPECT_EQ(lines().size(), 1U);  // in the end one line a prompt
  fs::remove(file_);

  // One that gives what it likes, and one that refuses `n`: the same in the end.
  const TestHttpServer some([](const Seen& seen, int number) {
    return answers_to(asked_of(seen), number == 1 ? 7 : 30);
  });
  const auto by_seven = ask(some, prompts(1));
  ASSERT_TRUE(by_seven.ok()) << by_seven.error().to_string();
  EXPECT_EQ(some.seen().size(), 2U);
  EXPECT_EQ(by_seven->front().texts, at_once->front().texts);
  fs::remove(file_);
  const TestHttpServer single([](const Seen& seen, int) {
    const Json asked = asked_of(seen);
    return asked.contains("n") ? Said{422, "n: found 16"} : answers_to(asked, 1);
  });
  const auto one_by_one = ask(single, prompts(1));
  ASSERT_TRUE(one_by_one.ok()) << one_by_one.error().to_string();
  EXPECT_EQ(single.seen().size(), 21U);
  EXPECT_EQ(one_by_one->front().texts, at_once->front().texts);
  EXPECT_EQ(one_by_one->front().complete, at_once->front().complete);
  EXPECT_EQ(at_once->front().texts[19], "p0/19");
}

TEST_F(AskEndpoint, GoesOnWhereItStopped) {
  settings_.samples = 2;
  endpoint_.concurrency = 1;
  // Gives one answer at a time, three in all.
  const TestHttpServer dying([](const Seen& seen, int number) {
    return number > 3 ? Said{403, "enough"} : answers_to(asked_of(seen), 1);
  });
  const auto stopped = ask(dying, prompts(3));
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(stopped.error().kind, ErrorKind::kDenied);
  EXPECT_NE(stopped.error().message.find("enough"), std::string::npos);
  EXPECT_EQ(lines().size(), 3U);
  // A line that a killed process had begun is no answer.
  std::ofstream(file_, std::ios::app) << R"({"prompt_digest":"12)";

  const TestHttpServer server(answer);
  const auto answers = ask(server, prompts(3));
  ASSERT_TRUE(answers.ok()) << answers.error().to_string();
  ASSERT_EQ(server.seen().size(), 2U);
  EXPECT_EQ(text_of(asked_of(server.seen()[0])), "p1");
  EXPECT_EQ(asked_of(server.seen()[0])["seed"], 1);
  EXPECT_FALSE(asked_of(server.seen()[0]).contains("n"));
  EXPECT_EQ(text_of(asked_of(server.seen()[1])), "p2");
  EXPECT_EQ(asked_of(server.seen()[1])["n"], 2);
  // As if nothing had happened.
  const std::string resumed = bytes();
  fs::remove(file_);
  ASSERT_TRUE(ask(server, prompts(3)).ok());
  EXPECT_EQ(bytes(), resumed);
}

TEST_F(AskEndpoint, RefusesAFileOfOtherPrompts) {
  const TestHttpServer server(answer);
  ASSERT_TRUE(ask(server, prompts(2)).ok());
  EXPECT_EQ(ask(server, prompts(1)).error().kind, ErrorKind::kCorrupt);
  const std::string line = lines()[0] + "\n";
  for (const std::string& text :
       {line + line, std::string("{}\n"), std::string("no json\n"),
        std::string(R"({"prompt_digest":1,"format":"chat","responses":[],"complete":[]})") + "\n",
        line.substr(0, line.find("\"complete\"")) + "\"complete\":[]}\n",
        line.substr(0, line.find("\"complete\"")) + "\"complete\":[1]}\n",
        std::string(line).replace(line.find("\"chat\""), 6, "\"poem\"")}) {
    std::ofstream(file_, std::ios::trunc) << text;
    EXPECT_EQ(ask(server, prompts(2)).error().kind, ErrorKind::kCorrupt) << text;
  }
  EXPECT_EQ(server.seen().size(), 2U);
}

TEST_F(AskEndpoint, TriesAgainWhenTheServerStumbles) {
  const TestHttpServer server([](const Seen& seen, int number) {
    switch (number) {
      case 1:
        return Said{500, "oops"};
      case 2:
        return Said{429, "later"};
      case 3:
        return Said{200, "<html>"};
      case 4: {
        Said cut = answer(seen, number);
        cut.cut_to = 10;
        return cut;
      }
      default:
        return answer(seen, number);
    }
  });
  const auto answers = ask(server, prompts(1));
  ASSERT_TRUE(answers.ok()) << answers.error().to_string();
  EXPECT_EQ(server.seen().size(), 5U);
}

TEST_F(AskEndpoint, GivesUpAtLast) {
  EXPECT_EQ(kind_of({503, "oops"}), ErrorKind::kIo);
  EXPECT_EQ(kind_of({429, "later"}), ErrorKind::kLimit);
  EXPECT_EQ(kind_of({401, "who?"}), ErrorKind::kDenied);
  EXPECT_EQ(kind_of({404, "what?"}), ErrorKind::kNotFound);
  EXPECT_EQ(kind_of({400, "why?"}), ErrorKind::kIo);
  EXPECT_EQ(kind_of({200, std::string(2 << 20, ' ')}), ErrorKind::kLimit);
  EXPECT_EQ(kind_of({200, R"({"choices":[{"message":{"content":"cut)", "", 5}), ErrorKind::kIo);
  // One that fails stops the others.
  EXPECT_EQ(kind_of({403, "no"}, 50), ErrorKind::kDenied);
  EXPECT_TRUE(lines().empty());
}

TEST_F(AskEndpoint, TriesAnswersOfAnotherFormThreeTimes) {
  for (const std::string& body :
       {std::string(), std::string("[]"),
        std::string("{\"choices\":[{\"message\":{\"content\":\"\xff\"}}]}"),
        std::string(R"({"choices":[]})"), std::string(R"({"choices":[{"message":{"content":1}}]})"),
        std::string(R"({"error":{"message":"sorry"}})")}) {
    const TestHttpServer server([&](const Seen&, int) { return Said{200, body}; });
    const auto answers = ask(server, prompts(1));
    ASSERT_FALSE(answers.ok()) << body;
    EXPECT_EQ(answers.error().kind, ErrorKind::kCorrupt) << body;
    EXPECT_EQ(server.seen().size(), 3U);
  }
}

TEST_F(AskEndpoint, TakesWhatAFilterWithholdsForNoAnswer) {
  settings_.samples = 2;
  const TestHttpServer server([](const Seen& seen, int number) {
    if (text_of(asked_of(seen)) != "p1") return answer(seen, number);
    return Said{400, R"({"error":{"message":"hm","code":"content_filter"}})"};
  });
  const auto answers = ask(server, prompts(3));
  ASSERT_TRUE(answers.ok()) << answers.error().to_string();
  EXPECT_EQ((*answers)[1].texts, (std::vector<std::string>{"", ""}));
  EXPECT_EQ((*answers)[1].complete, (std::vector<bool>{false, false}));
  EXPECT_EQ((*answers)[2].texts, (std::vector<std::string>{"p2/0", "p2/1"}));
  EXPECT_EQ(server.seen().size(), 3U);
}

TEST_F(AskEndpoint, KeepsTheKeyOutOfTheFile) {
  endpoint_.key = "s3cret-s3cret-s3cret";
  const TestHttpServer echo([](const Seen& seen, int) {
    const auto at = seen.head.find("Bearer ");
    const std::string key = seen.head.substr(at + 7, 20);
    return Said{200, json_line(Json{{"choices", {{{"message", {{"content", key}}}}}}})};
  });
  const auto answers = ask(echo, prompts(1));
  ASSERT_FALSE(answers.ok());
  EXPECT_EQ(answers.error().kind, ErrorKind::kCorrupt);
  EXPECT_EQ(answers.error().to_string().find("s3cret"), std::string::npos);
  EXPECT_EQ(bytes().find("s3cret"), std::string::npos);
  // The placeholder that a server without keys is given is a word like others.
  endpoint_.key = "none";
  fs::remove(file_);
  const TestHttpServer word([](const Seen&, int) {
    return Said{200, R"({"choices":[{"message":{"content":"none"}}]})"};
  });
  EXPECT_TRUE(ask(word, prompts(1)).ok());
}

TEST_F(AskEndpoint, StopsWhenItIsCancelled) {
  const TestHttpServer server([this](const Seen& seen, int number) {
    if (number == 3) cancel_.raise();
    return number < 3 ? answer(seen, number) : Said{503, "", "Retry-After: 60\r\n"};
  });
  endpoint_.concurrency = 1;  // so that both answers are there by then
  const auto answers = ask(server, prompts(20));
  ASSERT_FALSE(answers.ok());
  EXPECT_EQ(answers.error().kind, ErrorKind::kCancelled);
  EXPECT_EQ(lines().size(), 2U);
}

TeacherEndpoint endpoint_at(const std::string& url) {
  TeacherEndpoint endpoint;
  endpoint.url = url;
  endpoint.model = "m";
  return endpoint;
}

TEST(TeacherEndpointCheck, HasLimits) {
  const TeacherEndpoint good = endpoint_at("https://host/v1");
  EXPECT_TRUE(check_teacher_endpoint(good).ok());
  const auto refused = [&](auto change) {
    TeacherEndpoint endpoint = good;
    change(endpoint);
    const Status status = check_teacher_endpoint(endpoint);
    return !status.ok() && status.error().kind == ErrorKind::kInvalidArgument;
  };
  EXPECT_TRUE(refused([](TeacherEndpoint& e) { e.url = "host/v1"; }));
  EXPECT_TRUE(refused([](TeacherEndpoint& e) { e.model = ""; }));
  EXPECT_EQ(check_teacher_endpoint(endpoint_at("http://192.0.2.1/v1")).error().kind,
            ErrorKind::kDenied);
  EXPECT_TRUE(check_teacher_endpoint(endpoint_at("http://localhost/v1")).ok());
  EXPECT_TRUE(refused([](TeacherEndpoint& e) { e.concurrency = 0; }));
  EXPECT_TRUE(refused([](TeacherEndpoint& e) { e.concurrency = 257; }));
  EXPECT_TRUE(refused([](TeacherEndpoint& e) { e.attempts = 0; }));
  EXPECT_TRUE(refused([](TeacherEndpoint& e) { e.attempts = 21; }));
  EXPECT_TRUE(refused([](TeacherEndpoint& e) { e.timeout = std::chrono::seconds(0); }));
  EXPECT_TRUE(refused([](TeacherEndpoint& e) { e.timeout = std::chrono::seconds(3601); }));
}

}  // namespace
}  // namespace llmpatch
