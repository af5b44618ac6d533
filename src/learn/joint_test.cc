#include "learn/joint.h"

#include "learn/test_run.h"
#include "patch/test_patch.h"

namespace llmpatch {
namespace {

class Joint : public ::testing::Test {
 protected:
  void SetUp() override {
    base_.file = std::string(64, 'a');
    base_.name = "Tiny";
  }
  void add(const TestRun& from) {
    options_.joint.push_back(directory_ / std::to_string(options_.joint.size()));
    make_test_run(options_.joint.back(), from);
  }
  Result<LearnData> read() { return read_joint_data(options_, base_); }
  void fails(ErrorKind kind, const std::string& says) {
    const auto data = read();
    ASSERT_FALSE(data.ok()) << says;
    EXPECT_EQ(data.error().kind, kind) << data.error().to_string();
    EXPECT_NE(data.error().to_string().find(says), std::string::npos) << data.error().to_string();
  }
  TestDirectory directory_;
  BaseIdentity base_;
  LearnOptions options_;
};

std::vector<std::string> texts_of(const std::vector<Prompt>& prompts) {
  std::vector<std::string> texts;
  for (const Prompt& prompt : prompts) texts.push_back(prompt.text());
  return texts;
}

TEST_F(Joint, HasWhatItsRunsHaveOneAfterTheOther) {
  add({.risk = "toxicity"});
  add({.risk = "gender",
       .pairs = {"q1"},
       .retain = {"s1"},
       .validate = {"w1", "w2"},
       .validate_retain = {"c1"}});
  const auto data = read();
  ASSERT_TRUE(data.ok()) << data.error().to_string();
  ASSERT_EQ(data->runs.size(), 2U);
  EXPECT_EQ(texts_of(data->prompts), (std::vector<std::string>{"p1", "p2", "p3", "q1"}));
  EXPECT_EQ(texts_of(data->retain), (std::vector<std::string>{"r1", "r2", "s1"}));
  EXPECT_EQ(texts_of(data->validate), (std::vector<std::string>{"v1", "w1", "w2"}));
  EXPECT_EQ(texts_of(data->validate_retain), (std::vector<std::string>{"b1", "b2", "c1"}));
  EXPECT_EQ(data->prompt_formats.size(), 4U);
  EXPECT_EQ(texts_of(data_of(data->runs[1]).prompts), std::vector<std::string>{"q1"});
}

TEST_F(Joint, LearnsNothingFromWhatAnyRunValidatesOn) {
  add({.risk = "toxicity", .pairs = {"p1", "w1", "c1"}, .retain = {"r1", "c1", "r3"}});
  add({.risk = "gender",
       .pairs = {"q1", "v1"},
       .retain = {"b2", "s1"},
       .validate = {"w1"},
       .validate_retain = {"c1", "b1"}});
  write_test_file(options_.joint[0] / "corrections.jsonl", answer_lines({"c1", "r3"}));
  const auto data = read();
  ASSERT_TRUE(data.ok()) << data.error().to_string();
  EXPECT_EQ(texts_of(data->prompts), (std::vector<std::string>{"p1", "q1"}));
  EXPECT_EQ(texts_of(data->retain), (std::vector<std::string>{"r1", "r3", "s1"}));
  // The answers stay beside their prompts.
  ASSERT_EQ(data->runs[0].retain.answers.size(), 2U);
  EXPECT_NE(data->runs[0].retain.answers[1].find("answer to r3"), std::string::npos);
  ASSERT_EQ(data->runs[0].corrections.size(), 1U);
  EXPECT_NE(data->runs[0].corrections[0].find("answer to r3"), std::string::npos);
  // A benign prompt of two runs is validated on once.
  EXPECT_EQ(texts_of(data->validate_retain), (std::vector<std::string>{"b1", "b2", "c1"}));
  EXPECT_EQ(data->runs[1].validate_retain.answers.size(), 1U);
}

TEST_F(Joint, ValidatesOnSoManyPromptsOfEveryRun) {
  add({.risk = "toxicity", .validate = {"v1", "v2", "v3", "v4"}});
  add({.risk = "gender", .pairs = {"q1"}, .validate = {"w1", "w2", "w3"}, .validate_retain = {}});
  options_.validate_prompts = 2;
  options_.validate_benign = 1;
  const auto data = read();
  ASSERT_TRUE(data.ok()) << data.error().to_string();
  EXPECT_EQ(data->runs[0].validate.prompts.size(), 2U);
  EXPECT_EQ(data->runs[1].validate.prompts.size(), 2U);
  EXPECT_EQ(data->validate_retain.size(), 1U);
  EXPECT_EQ(data->runs[0].validate_retain.answers.size(), 1U);
}

TEST_F(Joint, RefusesRunsThatDoNotFitTogether) {
  add({.risk = "toxicity"});
  add({.risk = "toxicity"});
  fails(ErrorKind::kInvalidArgument, "found a second one of the risk \"toxicity\"");
  options_.joint.pop_back();
  add({.risk = "gender", .base = std::string(64, 'b')});
  fails(ErrorKind::kMismatch, "found a run of the model \"Tiny\" (sha256 bbbbbbbbbbbb)");
}

TEST_F(Joint, RefusesRunsWithoutPairsOrValidation) {
  add({.risk = "toxicity"});
  add({.risk = "gender", .pairs = {"v1"}});  // validated on in the other
  fails(ErrorKind::kUnmet, "found no pairs");
  options_.joint.pop_back();
  options_.joint.push_back(directory_ / "third");
  make_test_run(options_.joint.back(), {.risk = "gender", .validate = {}});
  fails(ErrorKind::kInvalidArgument, "found no validation prompts");
}

TEST_F(Joint, RefusesWhatATestHas) {
  add({.risk = "toxicity"});
  add({.risk = "gender",
       .pairs = {"q1"},
       .retain = {"s1"},
       .validate = {"w1"},
       .validate_retain = {"c1"}});
  const auto file = directory_ / "test.jsonl";
  options_.tests = {file};
  write_test_file(file, "{\"prompt\": \"nothing of these\"}\n");
  EXPECT_TRUE(read().ok());
  for (const char* text : {"q1", "S1!", "w1", "c1", "p2"}) {
    write_test_file(file, json_line(OrderedJson{{"prompt", text}}) + "\n");
    fails(ErrorKind::kInvalidArgument, "test.jsonl");
  }
}

TEST_F(Joint, RefusesAJudgeThatIsAnother) {
  add({.risk = "toxicity"});
  auto data = read();
  ASSERT_TRUE(data.ok());
  EXPECT_EQ(make_judges(data->runs, {}).value().size(), 1U);
  data->runs[0].judge_identity = "refusal of last year";
  const auto judges = make_judges(data->runs, {});
  ASSERT_FALSE(judges.ok());
  EXPECT_EQ(judges.error().kind, ErrorKind::kMismatch);
}

TEST(JointOptions, ContradictOtherDataAndASingleRun) {
  LearnOptions options;
  options.joint = {"a", "b"};
  EXPECT_TRUE(check_joint_options(options).ok());
  const auto refused = [&](auto change) {
    LearnOptions changed = options;
    change(changed);
    return !check_joint_options(changed).ok();
  };
  EXPECT_TRUE(refused([](LearnOptions& changed) { changed.joint.pop_back(); }));
  EXPECT_TRUE(refused([](LearnOptions& changed) { changed.prompts = {"p"}; }));
  EXPECT_TRUE(refused([](LearnOptions& changed) { changed.pairs = {"p"}; }));
  EXPECT_TRUE(refused([](LearnOptions& changed) { changed.teacher_system = "Refuse."; }));
  EXPECT_TRUE(refused([](LearnOptions& changed) { changed.best_of = 4; }));
  EXPECT_TRUE(refused([](LearnOptions& changed) { changed.method = Method::kSteering; }));
  // A run would be overwritten by the one that takes it up.
  const TestDirectory run;
  options.joint[1] = run / "";
  EXPECT_TRUE(check_joint_options(options).ok());
  EXPECT_TRUE(refused([&](LearnOptions& changed) { changed.run = run / "."; }));
}

}  // namespace
}  // namespace llmpatch
