#include "serve/completion_request.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "serve/api_error.h"

namespace llmpatch {
namespace {

constexpr RequestLimits kLimits{100, 1000};

std::string body(const std::string& fields) { return R"({"model": "m", )" + fields + "}"; }

CompletionRequest parsed(const std::string& fields) {
  Result<CompletionRequest> request = parse_completion_request(body(fields), kLimits);
  EXPECT_TRUE(request.ok()) << fields << ": " << (request.ok() ? "" : request.error().to_string());
  return request.ok() ? *request : CompletionRequest{};
}

std::string refusal(const std::string& fields) {
  const Result<CompletionRequest> request = parse_completion_request(body(fields), kLimits);
  if (request.ok()) return "none";
  const ApiError error = field_error(request.error());
  return error.param + " " + error.code;
}

std::string message(const std::string& fields) {
  const Result<CompletionRequest> request = parse_completion_request(body(fields), kLimits);
  return request.ok() ? "none" : request.error().message;
}

using Prompts = std::vector<std::variant<std::string, Tokens>>;

TEST(CompletionRequest, TakesPromptsInFourForms) {
  EXPECT_EQ(parsed(R"("prompt": "a")").prompts, Prompts{"a"});
  EXPECT_EQ(parsed(R"("prompt": ["a", "b"])").prompts, (Prompts{"a", "b"}));
  EXPECT_EQ(parsed(R"("prompt": [1, 2])").prompts, (Prompts{Tokens{1, 2}}));
  EXPECT_EQ(parsed(R"("prompt": [[1], [2, 999]])").prompts, (Prompts{Tokens{1}, Tokens{2, 999}}));
}

TEST(CompletionRequest, HasOpenAisDefaults) {
  const CompletionRequest request = parsed(R"("prompt": "a")");
  EXPECT_EQ(request.max_tokens, 16);
  EXPECT_EQ(request.logprobs, -1);
  EXPECT_FALSE(request.echo);
}

TEST(CompletionRequest, HonoursItsOwnFields) {
  const CompletionRequest request = parsed(
      R"("prompt": "a", "echo": true, "logprobs": 5, "max_tokens": 0, "n": 2, "best_of": 2,
         "suffix": "", "top_k": 3, "stop": "x")");
  EXPECT_TRUE(request.echo);
  EXPECT_EQ(request.logprobs, 5);
  EXPECT_EQ(request.max_tokens, 0);
  EXPECT_EQ(request.n, 2);
  EXPECT_EQ(request.sampling.base.top_k, 3);
  EXPECT_EQ(request.stop, std::vector<std::string>{"x"});
}

TEST(CompletionRequest, RefusesByName) {
  EXPECT_EQ(refusal(R"("n": 1)"), "prompt missing_parameter");
  for (const char* prompt :
       {"1", "{}", "[]", "[[]]", "[1, \"a\"]", "[1000]", "[-1]", "[1.5]", "[[1], \"a\", {}]"}) {
    EXPECT_EQ(refusal("\"prompt\": " + std::string(prompt)), "prompt invalid_value") << prompt;
  }
  EXPECT_EQ(refusal(R"("prompt": "a", "best_of": 2)"), "best_of unsupported_parameter");
  EXPECT_EQ(refusal(R"("prompt": "a", "suffix": "b")"), "suffix unsupported_parameter");
  EXPECT_EQ(refusal(R"("prompt": "a", "logprobs": 21)"), "logprobs invalid_value");
  EXPECT_EQ(refusal(R"("prompt": "a", "logprobs": true)"), "logprobs invalid_value");
  EXPECT_EQ(refusal(R"("prompt": "a", "max_tokens": 0)"), "max_tokens invalid_value");
  EXPECT_EQ(refusal(R"("prompt": "a", "max_tokens": 101)"), "max_tokens invalid_value");
  EXPECT_EQ(refusal(R"("prompt": "a", "echo": true, "stream": true, "logprobs": 0)"),
            "stream unsupported_parameter");
  EXPECT_EQ(refusal(R"("prompt": "a", "messages": [])"), "messages unknown_parameter");
  EXPECT_EQ(refusal(R"("prompt": "a", "response_format": {})"),
            "response_format unknown_parameter");
}

TEST(CompletionRequest, NamesTheItemThatIsNoToken) {
  for (const auto& [prompt, item] :
       std::vector<std::pair<std::string, std::string>>{{"[1, 2, -3]", "-3"},
                                                        {"[1, 1000, 2]", "1000"},
                                                        {"[1, 2.5]", "2.5"},
                                                        {R"([1, "a"])", R"("a")"},
                                                        {"[[1], [2, -3]]", "-3"},
                                                        {R"(["a", 5])", "5"},
                                                        {R"(["a", []])", "a list"}}) {
    const std::string found = message("\"prompt\": " + prompt);
    EXPECT_EQ(found.find("found " + item + " in it"), 0u) << prompt << ": " << found;
  }
}

TEST(CompletionRequest, BoundsPromptsAndAnswers) {
  Json prompts = Json::array();
  for (int i = 0; i < 33; ++i) prompts.push_back("a");
  EXPECT_EQ(refusal("\"prompt\": " + prompts.dump()), "prompt invalid_value");
  prompts.erase(0);
  EXPECT_EQ(refusal("\"prompt\": " + prompts.dump() + ", \"n\": 2"), "none");
  EXPECT_EQ(refusal("\"prompt\": " + prompts.dump() + ", \"n\": 3"), "n invalid_value");
}

}  // namespace
}  // namespace llmpatch
