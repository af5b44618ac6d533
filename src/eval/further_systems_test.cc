// Further systems on the tiny random model: each answers as the thing it is made of does by itself.
#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "base/json.h"
#include "eval/card.h"
#include "eval/evaluate.h"
#include "runtime/test_adapters.h"
#include "runtime/test_models.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kWidth = 64;  // of the tiny model

std::string lora_bytes() {
  GgufTestFile file = lora_header();
  file.floats("blk.1.ffn_down.weight.lora_a", {96, 1}, some_numbers(96, 3, 0.5F));
  file.floats("blk.1.ffn_down.weight.lora_b", {1, kWidth}, some_numbers(kWidth, 4, 0.5F));
  return file.bytes();
}

std::string control_vector_bytes() {
  GgufTestFile file = control_vector_header();
  file.floats("direction.2", {kWidth}, some_numbers(kWidth, 5, 1));
  return file.bytes();
}

// Another model: the tiny one with the LoRA's place taken by a bias.
std::string other_model_bytes() {
  GgufTestFile file = tiny_model_file();
  file.floats("blk.1.ffn_down.bias", {kWidth}, some_numbers(kWidth, 6, 1));
  return file.bytes();
}

class FurtherSystemsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = fs::path(::testing::TempDir()) /
                 ("further-systems-" +
                  std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(directory_);
    fs::create_directories(directory_);
  }
  void TearDown() override { fs::remove_all(directory_); }

  EvalPatch patch(const std::string& name, const std::string& text) const {
    return {name, "1.0.0", "digest of " + name,
            *tiny_model().embed(*tiny_model().tokenize(text, false))};
  }

  SystemSpec system(const std::string& label) const {
    SystemSpec spec;
    spec.label = label;
    return spec;
  }
  SystemSpec stack(const std::string& label, std::vector<EvalPatch> patches,
                   Compose compose = Compose::kSequential) const {
    SystemSpec spec = system(label);
    spec.patches = std::move(patches);
    spec.compose = compose;
    return spec;
  }

  // A refusal suite and a sampled one on two prompts; the patch a.
  EvalOptions options() const {
    std::ofstream(directory_ / "prompts.jsonl") << "{\"prompt\": \"the sea in winter\"}\n"
                                                << "{\"prompt\": \"a red fruit\"}\n";
    Suite refusal, sampled;
    refusal.name = "benign";
    refusal.expect = Expect::kAnswer;
    refusal.max_tokens = 8;
    sampled.name = "sampled";
    sampled.kind = "generation";
    sampled.decodings = {{6, 2, 1, .9F}};
    sampled.judges = {"degenerate"};
    EvalOptions out;
    for (Suite& suite : std::array{refusal, sampled}) {
      suite.prompts = directory_ / "prompts.jsonl";
      suite.format = PromptFormat::kRaw;
      out.suites.push_back(suite);
    }
    out.patches.push_back(patch("a", "answer like a pirate"));
    out.model_sha256 = "model";
    out.engine.exact = true;
    out.compliance_limit = out.timing_prompts = out.examples = 0;
    return out;
  }

  std::vector<Tokens> answers(const EvalResult& result, const std::string& label) const {
    std::vector<Tokens> tokens;
    for (const Answer& answer : result.suites.at(0).find(System(label))->answers) {
      tokens.push_back(answer.tokens);
    }
    return tokens;
  }

  // By hand: greedy answers of `model` with adapters, behind `before`.
  std::vector<Tokens> by_hand(const Model& model, const Adapters& adapters,
                              const Tokens& before = {}) const {
    EngineOptions exact;
    exact.exact = true;
    exact.adapters = adapters;
    const auto engine = make_engine(model, exact);
    std::vector<Tokens> tokens;
    for (const char* text : {"the sea in winter", "a red fruit"}) {
      Prompt prompt;
      prompt.messages = {{"user", text}};
      GenerateRequest request;
      request.prompt = before;
      const Tokens asked = *encode_prompt(model, prompt, PromptFormat::kRaw);
      request.prompt.insert(request.prompt.end(), asked.begin(), asked.end());
      request.max_tokens = 8;
      tokens.push_back((*engine->generate(std::span(&request, 1)))[0].tokens);
    }
    return tokens;
  }

  fs::path directory_;
};

TEST_F(FurtherSystemsTest, AnswerAsWhatTheyAre) {
  const TemporaryFile lora(lora_bytes()), vector(control_vector_bytes()),
      model(other_model_bytes());
  EvalOptions eval = options();
  SystemSpec adapted = system("LoRA"), idle = system("LoRA, idle"), steered = system("steered");
  adapted.adapters.lora = {{lora.path(), 2}};
  idle.adapters.lora = {{lora.path(), 0}};
  steered.adapters.control_vector = {{vector.path(), 1.5F, 0, 0}};
  SystemSpec merged = system("merged"), prompted = system("prompted");
  merged.model = model.path();
  prompted.prompt = "answer like a pirate";
  const EvalPatch a = patch("a", "answer like a pirate"), b = patch("b", "never say that");
  eval.systems = {adapted,
                  idle,
                  steered,
                  merged,
                  prompted,
                  stack("a then b", {a, b}),
                  stack("b then a", {b, a}),
                  stack("a beside b", {a, b}, Compose::kParallel)};
  const auto result = run_eval(tiny_model(), eval);
  ASSERT_TRUE(result.ok()) << result.error().to_string();
  ASSERT_EQ(result->suites[0].systems.size(), 10u);

  EXPECT_EQ(answers(*result, "LoRA"), by_hand(tiny_model(), adapted.adapters));
  EXPECT_EQ(answers(*result, "LoRA, idle"), answers(*result, "base"));
  EXPECT_EQ(answers(*result, "steered"), by_hand(tiny_model(), steered.adapters));
  const auto other = load_model(model.path(), {true});
  EXPECT_EQ(answers(*result, "merged"), by_hand(*other, {}));
  const auto tokens = [](const char* text) { return *tiny_model().tokenize(text, false); };
  Tokens ab = tokens("answer like a pirate"), ba = tokens("never say that");
  const Tokens only_a = ab, only_b = ba;
  ab.insert(ab.end(), only_b.begin(), only_b.end());
  ba.insert(ba.end(), only_a.begin(), only_a.end());
  EXPECT_EQ(answers(*result, "a then b"), by_hand(tiny_model(), {}, ab));
  EXPECT_EQ(answers(*result, "b then a"), by_hand(tiny_model(), {}, ba));
  // What changes the model changes its answers, each in its own way.
  std::map<std::vector<Tokens>, std::string> seen;
  for (const char* label : {"base", "patch", "LoRA", "steered", "merged", "prompted", "a then b",
                            "b then a", "a beside b"}) {
    const auto [place, added] = seen.emplace(answers(*result, label), label);
    EXPECT_TRUE(added) << label << " answers as " << place->second;
  }
}

TEST_F(FurtherSystemsTest, ShareTheCacheByWhatTheyAre) {
  const TemporaryFile lora(lora_bytes()), same(lora_bytes());
  EvalOptions eval = options();
  eval.cache = directory_ / "cache";
  SystemSpec adapted = system("LoRA");
  adapted.adapters.lora = {{lora.path(), 2}};
  eval.systems = {adapted, stack("the same patch", eval.patches),
                  stack("beside nothing", eval.patches, Compose::kParallel)};
  const auto first = run_eval(tiny_model(), eval);
  ASSERT_TRUE(first.ok()) << first.error().to_string();
  EXPECT_EQ(answers(*first, "the same patch"), answers(*first, "patch"));

  // Other labels and another place of the same file: nothing is generated.
  eval.systems[0].label = "renamed";
  eval.systems[0].adapters.lora = {{same.path(), 2}};
  eval.systems[1].label = "renamed too";
  const auto second = run_eval(tiny_model(), eval);
  ASSERT_TRUE(second.ok()) << second.error().to_string();
  EXPECT_GT(first->generated_tokens, 0u);
  EXPECT_EQ(second->generated_tokens, 0u);
  EXPECT_EQ(answers(*second, "renamed"), answers(*first, "LoRA"));

  // Another scale is another system.
  eval.systems[0].adapters.lora[0].scale = 1;
  const auto third = run_eval(tiny_model(), eval);
  ASSERT_TRUE(third.ok()) << third.error().to_string();
  EXPECT_GT(third->generated_tokens, 0u);
  EXPECT_LT(third->generated_tokens, first->generated_tokens);
}

TEST_F(FurtherSystemsTest, AreComparedWithBaseAndPatchAndTheReference) {
  EvalOptions eval = options();
  eval.system = "answer like a pirate";
  SystemSpec prompted = system("the reference again");
  prompted.prompt = eval.system;
  const EvalPatch b = patch("b", "never say that");
  eval.systems = {prompted, stack("b", {b})};
  const auto result = run_eval(tiny_model(), eval);
  ASSERT_TRUE(result.ok()) << result.error().to_string();
  // base, system-prompt and patch: three pairs; either further one with base and patch.
  EXPECT_EQ(result->suites[0].comparisons.size(), 7u);
  const MeasuredSuite& measured = result->measured.at(0);
  ASSERT_EQ(measured.systems.size(), 5u);
  // What is the reference recovers all of what the reference improves.
  std::size_t shares = 0;
  for (const Recovered& recovered : measured.recovered) {
    EXPECT_NE(recovered.system, System::kBase);
    EXPECT_NE(recovered.system, System::kSystemPrompt);
    if (recovered.system != System(prompted.label)) continue;
    EXPECT_NEAR(recovered.share.value, 1, 1e-9) << recovered.metric;
    ++shares;
  }
  EXPECT_GT(shares, 0u);

  const OrderedJson card = eval_card(*result);
  const OrderedJson& suite = card["suites"][1];
  EXPECT_TRUE(suite["systems"].contains("the reference again"));
  EXPECT_TRUE(suite["recovered_by_system"].contains("b"));
  EXPECT_EQ(card["systems"].size(), 5u);
  EXPECT_EQ(card["systems"][4]["label"], "b");
  EXPECT_EQ(card["systems"][4]["patches"][0]["sha256"], "digest of b");
  for (const auto& line : card["headline"]) EXPECT_NE(line["system"], "b");

  const std::string table = eval_table(*result);
  EXPECT_NE(table.find("\n    the reference again "), std::string::npos) << table;
  EXPECT_NE(table.find("recovered"), std::string::npos) << table;
}

TEST_F(FurtherSystemsTest, ProgressEndsAtItsTotal) {
  EvalOptions eval = options();
  eval.systems = {stack("b", {patch("b", "never say that")})};
  std::uint64_t last = 0, whole = 0;
  const auto result = run_eval(tiny_model(), eval, nullptr,
                               [&](std::uint64_t done, std::uint64_t total, const std::string&) {
                                 last = done;
                                 whole = total;
                               });
  ASSERT_TRUE(result.ok()) << result.error().to_string();
  EXPECT_EQ(last, whole);
}

TEST_F(FurtherSystemsTest, ThatCannotBeAreRefused) {
  EvalOptions eval = options();
  eval.systems = {system("base")};
  EXPECT_EQ(run_eval(tiny_model(), eval).error().kind, ErrorKind::kInvalidArgument);
  eval.systems = {system("gone")};
  eval.systems[0].adapters.lora = {{directory_ / "none.gguf", 1}};
  EXPECT_EQ(run_eval(tiny_model(), eval).error().kind, ErrorKind::kNotFound);
}

}  // namespace
}  // namespace llmpatch
