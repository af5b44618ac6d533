// An evaluation made up by hand, for tests of the card, the table and the page.
#pragma once

#include "eval/evaluate.h"
#include "eval/refusals.h"

namespace llmpatch {

inline SuitePrompt made_up_prompt(const std::string& text, const std::string& category,
                                  bool scary) {
  SuitePrompt entry;
  entry.prompt.messages.push_back({"user", text});
  entry.category = category;
  entry.scary = scary;
  return entry;
}

inline Answer made_up_answer(const std::string& text, bool refused) {
  Answer answer;
  answer.text = text;
  answer.tokens = {1, 2, 3};
  answer.refused = refused;
  return answer;
}

// Two suites of two prompts: a harmful one that the patch refuses, a benign one it answers. The
// safety prompt was measured on the first prompt of each. `text` stands in every place where text
// of unknown origin can.
inline EvalResult made_up_result(const std::string& text) {
  EvalResult result;
  result.options.patches.push_back({text, "1.0.0", "feed", {}});
  result.options.tool_version = "llmpatch 0.1.0";
  result.options.command = "llmpatch eval --suite " + text;
  result.model_path = "models/" + text + ".gguf";
  result.model_sha256 = "beef";
  result.architecture = "llama";
  for (const Expect expect : {Expect::kRefuse, Expect::kAnswer}) {
    const bool harmful = expect == Expect::kRefuse;
    SuiteResult suite;
    suite.suite.name = harmful ? "harmful" : "benign";
    suite.suite.expect = expect;
    suite.prompts = {made_up_prompt(text, text, !harmful),
                     made_up_prompt("second", "other", false)};
    const std::span<const SuitePrompt> prompts(suite.prompts);
    const auto add = [&](const System& system, std::vector<Answer> answers) {
      suite.systems.push_back(
          summarise_answers(system, prompts.first(answers.size()), std::move(answers), 0));
    };
    add(System::kBase, {made_up_answer(text, false), made_up_answer("b", false)});
    add(System::kSystemPrompt, {made_up_answer(text, harmful)});
    add(System::kPatched, {made_up_answer(text, harmful), made_up_answer("b", harmful)});
    suite.comparisons = compare_all(suite.systems);
    suite.examples.push_back({0, {text, text, text}});
    if (!harmful) {
      suite.side_effects.emplace();
      suite.side_effects->kl = {.075, {.07, .08}, 2};
    }
    result.suites.push_back(std::move(suite));
  }
  result.compliance.emplace();
  result.compliance->suite = "harmful";
  result.compliance->openings_base = {-2, {-2.5, -1.5}, 2};
  result.compliance->openings_patched = {-6, {-7, -5}, 2};
  result.timing.emplace();
  result.timing->first_token_ratio = {1.02, {1, 1.04}, 6};
  result.seconds.emplace_back("answers of base", 1.5);
  return result;
}

}  // namespace llmpatch
