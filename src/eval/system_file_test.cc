#include "eval/system_file.h"

#include <gtest/gtest.h>

namespace llmpatch {
namespace {

TEST(ParseSystems, ReadsEveryMember) {
  const auto entries = parse_systems(R"([
    {"label": "random rows", "patches": ["rows/random", "refuse@1.0.0"], "compose": "parallel"},
    {"label": "LoRA", "lora": ["a.gguf", {"file": "/b.gguf", "scale": -0.5}]},
    {"label": "merged", "model": "merged.gguf", "system": "Be safe."},
    {"label": "steered", "control_vector": {"file": "v.gguf", "scale": 4, "layers": [8, 20]}},
    {"label": "steered more", "control_vector": "v.gguf"}
  ])",
                                     "folder/systems.json");
  ASSERT_TRUE(entries.ok()) << entries.error().to_string();
  ASSERT_EQ(entries->size(), 5u);
  const auto spec = [&](std::size_t i) { return (*entries)[i].spec; };
  EXPECT_EQ(spec(0).label, "random rows");
  EXPECT_EQ(spec(0).compose, Compose::kParallel);
  EXPECT_EQ((*entries)[0].patches,
            (std::vector<std::string>{"./folder/rows/random", "refuse@1.0.0"}));
  EXPECT_EQ(spec(1).adapters, (Adapters{{{"folder/a.gguf", 1}, {"/b.gguf", -0.5F}}, {}}));
  EXPECT_EQ(spec(1).compose, Compose::kSequential);
  EXPECT_EQ(spec(2).model, "folder/merged.gguf");
  EXPECT_EQ(spec(2).prompt, "Be safe.");
  EXPECT_EQ(spec(3).adapters, (Adapters{{}, ControlVector{"folder/v.gguf", 4, 8, 20}}));
  EXPECT_EQ(spec(4).adapters, (Adapters{{}, ControlVector{"folder/v.gguf", 1, 0, 0}}));
}

TEST(ParseSystems, NamesWhatIsWrong) {
  struct Bad {
    const char* text;
    const char* part;
  };
  for (const auto& [text, part] : {
           Bad{"{}", "expected an array"},
           Bad{"[4]", "system 1: found number, expected an object"},
           Bad{R"([{"system": "x"}])", "label"},
           Bad{R"([{"label": "a", "lora": "a.gguf"}])", "system 1 (\"a\")"},
           Bad{R"([{"label": "a", "lora": [{"path": "a.gguf"}]}])", "unknown member \"path\""},
           Bad{R"([{"label": "a", "lora": [{"file": "a.gguf", "scale": "1"}]}])", "scale"},
           Bad{R"([{"label": "a", "lora": [7]}])", "lora"},
           Bad{R"([{"label": "a", "patches": [""]}])", "patches"},
           Bad{R"([{"label": "a", "patches": "a"}])", "patches"},
           Bad{R"([{"label": "a", "control_vector": {"file": "v", "layers": [0, 2]}}])", "layers"},
           Bad{R"([{"label": "a", "control_vector": {"file": "v", "layers": [1]}}])", "layers"},
           Bad{R"([{"label": "a", "control_vector": {"file": "v", "layers": [1, -2]}}])", "layers"},
           Bad{R"([{"label": "a", "teacher": "t.gguf"}])", "unknown member \"teacher\""},
           Bad{"[", "s.json"},
       }) {
    const auto entries = parse_systems(text, "s.json");
    ASSERT_FALSE(entries.ok()) << text;
    EXPECT_EQ(entries.error().kind, ErrorKind::kCorrupt) << entries.error().to_string();
    EXPECT_NE(entries.error().message.find(part), std::string::npos)
        << text << ": " << entries.error().to_string();
  }
  const auto compose = parse_systems(R"([{"label": "a", "compose": "both"}])", "s.json");
  ASSERT_FALSE(compose.ok());
  EXPECT_EQ(compose.error().kind, ErrorKind::kInvalidArgument);
}

}  // namespace
}  // namespace llmpatch
