// A finished run directory for tests: what a small run of `learn` leaves.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "learn/finished_run.h"
#include "learn/preferences.h"

namespace llmpatch {

// What a run is made of; prompts are texts, all in raw form.
struct TestRun {
  std::string risk = "toxicity";
  std::string base = std::string(64, 'a');
  std::vector<std::string> pairs{"p1", "p2", "p3"};
  std::vector<std::string> retain{"r1", "r2"}, validate{"v1"}, validate_retain{"b1", "b2"};
};

inline PromptList prompt_list(const std::vector<std::string>& texts) {
  PromptList list;
  for (const std::string& text : texts) {
    Prompt prompt;
    prompt.messages = {{"user", text}};
    list.prompts.push_back(prompt);
    list.formats.push_back(PromptFormat::kRaw);
  }
  return list;
}

inline std::string answer_lines(const std::vector<std::string>& texts) {
  std::string lines;
  for (const Prompt& prompt : prompt_list(texts).prompts) {
    lines += json_line(OrderedJson{{"prompt_digest", prompt.digest()},
                                   {"responses", {"answer to " + prompt.text()}},
                                   {"complete", {true}}}) +
             "\n";
  }
  return lines;
}

inline void write_test_file(const std::filesystem::path& path, const std::string& text) {
  const Status written = write_file_atomic(path, text);
  EXPECT_TRUE(written.ok()) << written.error().to_string();
}

// The stages of such a run.
inline std::vector<StageRecord> test_stages(const TestRun& from) {
  const auto digest = [](const std::vector<std::string>& texts) {
    const PromptList list = prompt_list(texts);
    return digest_of(list.prompts, list.formats);
  };
  return {{"pairs", {}, {{"margin", 0.5}}, {"pairs.jsonl"}},
          {"retain",
           {},
           {{"prompts", digest(from.retain)}, {"validation", digest(from.validate_retain)}},
           {"retain.jsonl"}},
          {"sft", {"pairs", "retain"}, {{"validate", digest(from.validate)}}, {"sft.state"}}};
}

inline void make_test_run(const std::filesystem::path& path, const TestRun& from) {
  auto run = RunDirectory::open(path);
  ASSERT_TRUE(run.ok()) << run.error().to_string();
  ASSERT_TRUE(run->adopt(test_stages(from)).ok());
  std::vector<Preference> pairs;
  for (const Prompt& prompt : prompt_list(from.pairs).prompts) {
    pairs.push_back({prompt, PromptFormat::kRaw, "good " + prompt.text(), "bad"});
  }
  write_test_file(path / "pairs.jsonl", preferences_to_lines(pairs));
  write_test_file(path / "retain.jsonl", answer_lines(from.retain));
  write_test_file(path / "retain-validation.jsonl", answer_lines(from.validate_retain));
  FinishedRun record;
  record.patch = "tester@1.0.0";
  record.risk = from.risk;
  record.base = from.base;
  record.base_name = "Tiny";
  record.judge = record.judge_identity = "refusal";
  record.validate_tokens = 6;
  record.validate_samples = 2;
  record.retain_tokens = 9;
  record.retain = {prompt_list(from.retain), {}};
  record.validate = prompt_list(from.validate);
  record.validate_retain = {prompt_list(from.validate_retain), {}};
  ASSERT_TRUE(record_run(*run, record).ok());
  for (const StageRecord& stage : test_stages(from)) ASSERT_TRUE(run->set_done(stage.name).ok());
}

}  // namespace llmpatch
