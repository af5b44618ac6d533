#include "eval/reproduce.h"

#include <gtest/gtest.h>

#include "eval/card.h"
#include "eval/test_result.h"

namespace llmpatch {
namespace {

Json card() {
  EvalResult result = made_up_result("text");
  result.options.suites = {result.suites[0].suite, result.suites[1].suite};
  result.options.system = "Be safe.";
  result.options.system_limit = 1;
  result.options.compliance_limit = 7;
  result.options.seed = 3;
  result.options.format = PromptFormat::kRaw;
  result.options.compose = Compose::kParallel;
  result.options.engine.exact = true;
  result.options.engine.threads = 2;
  return Json(eval_card(result));
}

TEST(RecordedRun, IsWhatTheCardWasMadeWith) {
  const auto run = recorded_run(card());
  ASSERT_TRUE(run.ok()) << run.error().to_string();
  EXPECT_EQ(run->suites, (std::vector<std::string>{"harmful", "benign"}));
  EXPECT_EQ(run->model_sha256, "beef");
  EXPECT_EQ(run->patch_digests, (std::vector<std::string>{"feed"}));
  EXPECT_EQ(run->compose, Compose::kParallel);
  EXPECT_EQ(run->system, "Be safe.");
  EXPECT_EQ(run->format, PromptFormat::kRaw);
  EXPECT_EQ(run->system_limit, 1u);
  EXPECT_EQ(run->compliance_limit, 7u);
  EXPECT_EQ(run->seed, 3u);
  EXPECT_TRUE(run->exact);
  EXPECT_EQ(run->threads, 2);
}

TEST(RecordedRun, BadCardsAreRefused) {
  struct Bad {
    const char* pointer;
    Json value;
    ErrorKind kind;
  };
  for (const auto& [pointer, value, kind] :
       {Bad{"/schema", "llmpatch.eval/9", ErrorKind::kUnsupported},
        {"/settings/suites", "harmful", ErrorKind::kCorrupt},
        {"/settings/suites/0", 4, ErrorKind::kCorrupt},
        {"/settings/compliance", -1, ErrorKind::kCorrupt},
        {"/model/sha256", 1, ErrorKind::kCorrupt},
        {"/seed", "x", ErrorKind::kCorrupt},
        {"/patches/0", "x", ErrorKind::kCorrupt},
        {"/compose", "both", ErrorKind::kInvalidArgument}}) {
    Json bad = card();
    bad[Json::json_pointer(pointer)] = value;
    const auto run = recorded_run(bad);
    ASSERT_FALSE(run.ok()) << pointer;
    EXPECT_EQ(run.error().kind, kind) << pointer << ": " << run.error().to_string();
  }
  Json old = card();
  old.erase("settings");
  EXPECT_EQ(recorded_run(old).error().kind, ErrorKind::kUnsupported);
}

TEST(SameRun, AnotherModelPatchOrPromptSetIsNamed) {
  EXPECT_TRUE(check_same_run(card(), card()).ok());
  for (const char* pointer : {"/model/sha256", "/patches/0/sha256", "/suites/1/prompts_sha256"}) {
    Json other = card();
    other[Json::json_pointer(pointer)] = "0123";
    const auto status = check_same_run(card(), other);
    ASSERT_FALSE(status.ok()) << pointer;
    EXPECT_EQ(status.error().kind, ErrorKind::kMismatch);
    EXPECT_NE(status.error().message.find("0123"), std::string::npos) << status.error().message;
  }
}

TEST(Departures, OfFiguresOutsideTheirIntervals) {
  EXPECT_TRUE(departures(card(), card()).empty());
  Json again = card();
  // The side effect's interval is [.07, .08].
  again["suites"][1]["side_effects"]["kl"]["value"] = .0801;
  auto found = departures(card(), again);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].metric, "benign: kl");
  EXPECT_EQ(found[0].value, .0801);
  EXPECT_EQ(found[0].high, .08);
  again["suites"][1]["side_effects"]["kl"]["value"] = .0799;
  EXPECT_TRUE(departures(card(), again).empty());
  // One that is no longer measured.
  again["suites"][0]["systems"]["patch"].erase("refusal");
  found = departures(card(), again);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].metric, "harmful: patch: refusal");
}

// The card of a run with a further system.
Json card_with(const char* digest) {
  Json made = card();
  made["systems"] = Json::parse(R"([{"label": "base"}, {"label": "LoRA"}])");
  made["systems"][1]["lora"] = {{{"file", "a.gguf"}, {"sha256", digest}, {"scale", 1}}};
  for (Json& suite : made["suites"]) suite["systems"]["LoRA"] = suite["systems"]["patch"];
  return made;
}

TEST(SameRun, AFurtherSystemMustBeTheSame) {
  const auto run = recorded_run(card_with("aa"));
  ASSERT_TRUE(run.ok()) << run.error().to_string();
  EXPECT_EQ(run->further, (std::vector<std::string>{"LoRA"}));
  EXPECT_TRUE(check_same_run(card_with("aa"), card()).ok());  // not measured again
  Json renamed = card_with("aa");
  renamed["systems"][1]["lora"][0]["file"] = "b.gguf";
  EXPECT_TRUE(check_same_run(card_with("aa"), renamed).ok());
  const Status status = check_same_run(card_with("aa"), card_with("bb"));
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind, ErrorKind::kMismatch);
  EXPECT_NE(status.error().message.find("LoRA"), std::string::npos);
}

TEST(Departures, OfSystemsThatAreMeasuredAgain) {
  EXPECT_FALSE(departures(card_with("aa"), card()).empty());
  EXPECT_TRUE(departures(without_systems(card_with("aa"), {"LoRA"}), card()).empty());
  EXPECT_TRUE(departures(card_with("aa"), card_with("aa")).empty());
}

}  // namespace
}  // namespace llmpatch
