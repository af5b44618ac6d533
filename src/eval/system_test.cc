#include "eval/system.h"

#include <gtest/gtest.h>

namespace llmpatch {
namespace {

SystemSpec labelled(const std::string& label) {
  SystemSpec system;
  system.label = label;
  system.prompt = "Be brief.";
  return system;
}

ErrorKind refusal_of(const std::vector<SystemSpec>& systems) {
  const Status status = check_systems(systems);
  EXPECT_FALSE(status.ok());
  return status.ok() ? ErrorKind::kInternal : status.error().kind;
}

TEST(CheckSystems, LabelsAreFreeText) {
  for (const std::string& label :
       {std::string("LoRA r=1, merged"), std::string("A \xE2\x86\x92 B"), std::string("<b>|\"'&"),
        std::string(64, 'x'), std::string("basement")}) {
    EXPECT_TRUE(check_systems({labelled(label)}).ok()) << label;
  }
  std::string long_word;  // 64 characters of two bytes
  for (int i = 0; i < 64; ++i) long_word += "\xC3\xA9";
  EXPECT_TRUE(check_systems({labelled(long_word)}).ok());
}

TEST(CheckSystems, LabelsThatCannotBePrintedOrToldApartAreRefused) {
  for (const std::string& label :
       {std::string(), std::string(65, 'x'), std::string("a\nb"), std::string("a\x1b[31m"),
        std::string("a\x7f"), std::string("\xC2\x9B"), std::string("\xFF"), std::string(" a"),
        std::string("a "),
        std::string("a\xE2\x80\xAE"
                    "b"),
        std::string("base"), std::string("system-prompt"), std::string("teacher"),
        std::string("patch"), std::string("prompt"), std::string("line"), std::string("suite"),
        std::string("category")}) {
    EXPECT_EQ(refusal_of({labelled(label)}), ErrorKind::kInvalidArgument) << label;
  }
  EXPECT_EQ(refusal_of({labelled("a"), labelled("b"), labelled("a")}), ErrorKind::kInvalidArgument);
}

TEST(CheckSystems, ASystemIsMoreThanTheBase) {
  SystemSpec nothing;
  nothing.label = "nothing";
  EXPECT_EQ(refusal_of({nothing}), ErrorKind::kInvalidArgument);
  nothing.adapters.lora.push_back({"a.gguf", 0});
  EXPECT_TRUE(check_systems({nothing}).ok());
}

TEST(AreCompared, FurtherSystemsWithBaseAndPatch) {
  const System one("one"), other("other");
  EXPECT_TRUE(are_compared(System::kSystemPrompt, System::kTeacher));
  EXPECT_TRUE(are_compared(System::kBase, one));
  EXPECT_TRUE(are_compared(System::kPatched, one));
  EXPECT_FALSE(are_compared(System::kTeacher, one));
  EXPECT_FALSE(are_compared(one, other));
}

TEST(SystemRecord, SaysWhatTheSystemIs) {
  SystemSpec system = labelled("both");
  system.model = "folder/merged.gguf";
  system.patches = {{"a", "1.0.0", "aa", {50, 8, {}}}, {"b", "2.0.0", "bb", {10, 8, {}}}};
  system.compose = Compose::kParallel;
  const Json adapters{{"lora", {{{"file", "l.gguf"}, {"sha256", "cc"}, {"scale", 2}}}}};
  EXPECT_EQ(Json(system_record(system, "dd", adapters)), Json::parse(R"({
    "label": "both", "model": {"file": "merged.gguf", "sha256": "dd"},
    "system_prompt": "Be brief.", "compose": "parallel",
    "patches": [{"name": "a", "version": "1.0.0", "sha256": "aa", "rows": 50, "width": 8},
                {"name": "b", "version": "2.0.0", "sha256": "bb", "rows": 10, "width": 8}],
    "lora": [{"file": "l.gguf", "sha256": "cc", "scale": 2}]})"));
  EXPECT_EQ(Json(system_record({}, "dd", Json::object())),
            Json::parse(R"({"label": "", "model": {"file": "", "sha256": "dd"}})"));
}

}  // namespace
}  // namespace llmpatch
