#include "judge/guard.h"

#include <cmath>
#include <limits>

#include "base/json.h"
#include "judge/guard_prompt.h"
#include "judge/test_files.h"
#include "runtime/test_models.h"

namespace llmpatch {
namespace {

constexpr const char* kTask = "Is this sentence about food, yes or no? {response}";
const std::vector<JudgeItem> kItems{{"p", "I ate an apple."}, {"p", "The train was late again."}};

Json smollm2_as_guard() {
  return {{"judge", "guard"},
          {"name", "house"},
          {"model", model_path("smollm2-135m-instruct-q4_1.gguf").string()},
          {"family", "custom"},
          {"task", kTask},
          {"threads", 1}};
}

Result<std::unique_ptr<Judge>> judge_of(const Json& members) {
  const TestFolder folder;
  return make_judge(folder.write("judge.json", json_line(members)).string());
}

// The tokens that SmolLM2 is asked for an item, by the parts that are tested elsewhere.
Tokens asked(const JudgeItem& item) {
  std::string text = kTask;
  text.replace(text.find("{response}"), 10, item.response);
  Tokens tokens = smollm2().bos();
  const auto spans = smollm2().chat_template()->render({{"user", text}}, true).value();
  const Tokens rest = smollm2().tokenize(spans).value();
  tokens.insert(tokens.end(), rest.begin(), rest.end());
  return tokens;
}

TEST(GuardVerdict, IsTheShareOfTheTwoWords) {
  const std::vector<float> logits{1, 3, 2, -5};
  const Verdict verdict = guard_verdict(logits, 1, 2);
  EXPECT_TRUE(verdict.given);
  EXPECT_DOUBLE_EQ(verdict.score, std::exp(3) / (std::exp(3) + std::exp(2)));
  EXPECT_DOUBLE_EQ(guard_verdict(logits, 2, 1).score, 1 - verdict.score);
  EXPECT_DOUBLE_EQ(guard_verdict(std::vector<float>{500, -500}, 1, 0).score, 0);
}

TEST(GuardVerdict, AnotherLikeliestTokenIsNoVerdictAndNeverSafe) {
  const Verdict verdict = guard_verdict(std::vector<float>{1, 3, 2}, 0, 2);
  EXPECT_FALSE(verdict.given);
  EXPECT_EQ(verdict.score, 1);
}

TEST(GuardVerdict, LogitsThatAreNoNumbersAreNone) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const std::vector<float>& logits : {std::vector<float>{nan, nan}, {nan, 1}, {1, nan}}) {
    const Verdict verdict = guard_verdict(logits, 0, 1);
    EXPECT_FALSE(verdict.given);
    EXPECT_EQ(verdict.score, 1);
  }
}

TEST(GuardJudge, JudgesByTheProbabilityOfItsWords) {
  // What SmolLM2 says to the first item is made one of the words; the other is "Zebra".
  const auto engine = make_engine(smollm2(), {.threads = 1});
  GenerateRequest request;
  request.prompt = asked(kItems[0]);
  request.max_tokens = 1;
  const std::vector<GenerateRequest> requests{request};
  const std::string said = engine->generate(requests).value()[0].text;
  ASSERT_FALSE(said.empty());
  Json members = smollm2_as_guard();
  members["unsafe"] = said;
  members["safe"] = "Zebra";
  const auto judge = judge_of(members);
  ASSERT_TRUE(judge.ok()) << judge.error().to_string();
  EXPECT_EQ((*judge)->name(), "house");
  const auto verdicts = (*judge)->verdicts(kItems);
  ASSERT_TRUE(verdicts.ok()) << verdicts.error().to_string();

  const Token unsafe = tokens_of(smollm2(), said)[0], safe = tokens_of(smollm2(), "Zebra")[0];
  const std::vector<ScoreRequest> scored{{asked(kItems[0]), {unsafe}, {}},
                                         {asked(kItems[0]), {safe}, {}}};
  const auto log_probs = engine->score(scored).value();
  const double expected = 1 / (1 + std::exp(log_probs[1][0] - log_probs[0][0]));
  EXPECT_TRUE((*verdicts)[0].given);
  EXPECT_NEAR((*verdicts)[0].score, expected, 1e-3);
  EXPECT_GT((*verdicts)[0].score, 0.5);

  // Turned round it is safe.
  members["unsafe"] = "Zebra";
  members["safe"] = said;
  const auto turned = (*judge_of(members))->verdicts(kItems).value();
  EXPECT_TRUE(turned[0].given);
  EXPECT_NEAR(turned[0].score, 1 - expected, 1e-3);
}

TEST(GuardJudge, WordsThatItNeverSaysAreNoVerdict) {
  Json members = smollm2_as_guard();
  members["unsafe"] = "Quartz";
  members["safe"] = "Zebra";
  const auto judge = judge_of(members);
  ASSERT_TRUE(judge.ok()) << judge.error().to_string();
  const std::vector<Verdict> verdicts = (*judge)->verdicts(kItems).value();
  for (const Verdict& verdict : verdicts) EXPECT_FALSE(verdict.given);
  EXPECT_EQ((*judge)->score(kItems).value(), (std::vector<double>{1, 1}));
}

TEST(GuardJudge, BuiltInPromptsRunOnAnyModel) {
  for (const auto family : guard_family_names()) {
    Json members = smollm2_as_guard();
    members.erase("task");
    members["family"] = family;
    members["prompt"] = "built-in";
    const auto judge = judge_of(members);
    ASSERT_TRUE(judge.ok()) << family << ": " << judge.error().to_string();
    EXPECT_EQ((*judge)->score(kItems).value().size(), 2U);
    members.erase("prompt");
    EXPECT_EQ(judge_of(members).error().kind, ErrorKind::kMismatch) << family;
  }
}

TEST(GuardJudge, ModelWithoutAChatTemplate) {
  const TestFolder folder;
  Json members = smollm2_as_guard();
  members["model"] = folder.write("tiny.gguf", tiny_model_file().bytes()).string();
  members["unsafe"] = "a";
  members["safe"] = "b";
  EXPECT_EQ(judge_of(members).error().kind, ErrorKind::kUnsupported);
  // Words with one first token, before that.
  members["safe"] = "ab";
  const auto judge = judge_of(members);
  ASSERT_FALSE(judge.ok());
  EXPECT_NE(judge.error().message.find("one first token"), std::string::npos);
}

TEST(GuardJudge, BadFiles) {
  const auto changed = [](const char* key, const Json& value) {
    Json members = smollm2_as_guard();
    members["unsafe"] = "yes";
    members["safe"] = "no";
    if (value.is_discarded()) {
      members.erase(key);
    } else {
      members[key] = value;
    }
    const auto judge = judge_of(members);
    return judge.ok() ? ErrorKind::kInternal : judge.error().kind;
  };
  const Json gone(Json::value_t::discarded);
  EXPECT_EQ(changed("family", "oracle"), ErrorKind::kCorrupt);
  EXPECT_EQ(changed("family", gone), ErrorKind::kCorrupt);
  EXPECT_EQ(changed("task", gone), ErrorKind::kCorrupt);
  EXPECT_EQ(changed("task", "Is it bad? {prompt}"), ErrorKind::kCorrupt);
  EXPECT_EQ(changed("unsafe", gone), ErrorKind::kCorrupt);
  EXPECT_EQ(changed("policy", "of two families alone"), ErrorKind::kCorrupt);
  EXPECT_EQ(changed("prompt", "built-in"), ErrorKind::kCorrupt);
  EXPECT_EQ(changed("threads", -1), ErrorKind::kCorrupt);
  EXPECT_EQ(changed("model", "no-such-model.gguf"), ErrorKind::kNotFound);
}

}  // namespace
}  // namespace llmpatch
