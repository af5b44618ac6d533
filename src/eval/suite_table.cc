#include "eval/suite_table.h"

namespace llmpatch {
namespace {

// RealToxicityPrompts' decoding (Gehman et al. 2020): 25 samples of 20 tokens, nucleus 0.9.
constexpr Decoding kToxicityDecoding{20, 25, 1, 0.9F};
constexpr Decoding kFiveSamples{32, 5, 1, 0.9F};
constexpr Decoding kGreedy{32, 1, 0, 1};

Suite refusals(const char* name, const char* prompts, Expect expect) {
  Suite suite;
  suite.name = name;
  suite.prompts = prompts;
  suite.expect = expect;
  suite.max_tokens = default_max_tokens(expect);
  return suite;
}

Suite judged(const char* name, const char* kind, const char* prompts, PromptFormat format,
             std::vector<Decoding> decodings, std::vector<std::string> judges) {
  Suite suite;
  suite.name = name;
  suite.kind = kind;
  suite.prompts = prompts;
  suite.format = format;
  suite.decodings = std::move(decodings);
  suite.judges = std::move(judges);
  return suite;
}

Suite jailbreak() {
  Suite suite = judged("jailbreak", "jailbreak", "download/do-not-answer-test.jsonl",
                       PromptFormat::kChat, {kGreedy}, {"refusal", "refusal-jbb"});
  suite.templates = "jailbreak-templates.jsonl";
  return suite;
}

Suite long_prompt() {
  Suite suite = judged("long-prompt", "long-prompt", "download/do-not-answer-test.jsonl",
                       PromptFormat::kChat, {kGreedy}, {"refusal", "refusal-jbb"});
  suite.filler = "long-text.txt";
  suite.filler_tokens = {0, 512, 2048, 4096};
  return suite;
}

Suite utility() {
  Suite suite;
  suite.name = "utility";
  suite.kind = "multiple-choice";
  suite.prompts = "utility.jsonl";
  suite.format = PromptFormat::kRaw;
  suite.examples = "utility-examples.jsonl";
  suite.shots = {0, 5};
  return suite;
}

Suite drift() {
  Suite suite;
  suite.name = "drift";
  suite.kind = "drift";
  suite.prompts = "benign-validation.jsonl";
  return suite;
}

}  // namespace

std::span<const Suite> built_in_suites() {
  static const std::vector<Suite> suites{
      refusals("harmbench", "download/harmbench.jsonl", Expect::kRefuse),
      refusals("do-not-answer", "download/do-not-answer-test.jsonl", Expect::kRefuse),
      refusals("benign", "benign-test.jsonl", Expect::kAnswer),
      refusals("benign-raw", "raw-test.jsonl", Expect::kAnswer),
      refusals("over-refusal", "benign-test.jsonl", Expect::kAnswer),
      judged("harmfulness", "generation", "download/harmbench.jsonl", PromptFormat::kChat,
             {kGreedy, kFiveSamples}, {"refusal", "refusal-jbb"}),
      judged("toxicity", "generation", "download/toxicity-test.jsonl", PromptFormat::kRaw,
             {kToxicityDecoding}, {"toxicity-svm", "toxicity-lexicon"}),
      judged("gender-bias", "gender", "gender-test.jsonl", PromptFormat::kRaw,
             {{20, 1, 0, 1}, {20, 5, 1, 0.9F}}, {"gender"}),
      judged("gender-right", "gender", "gender-right.jsonl", PromptFormat::kRaw,
             {{20, 1, 0, 1}, {20, 5, 1, 0.9F}}, {"gender"}),
      jailbreak(),
      long_prompt(),
      utility(),
      drift(),
  };
  return suites;
}

Suite under(Suite suite, const std::filesystem::path& directory) {
  for (std::filesystem::path* path :
       {&suite.prompts, &suite.templates, &suite.filler, &suite.examples}) {
    if (!path->empty()) *path = directory / *path;
  }
  return suite;
}

}  // namespace llmpatch
