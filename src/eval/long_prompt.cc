#include "eval/long_prompt.h"

#include <algorithm>

#include "base/file.h"
#include "base/file_digest.h"

namespace llmpatch {
namespace {

constexpr std::uint64_t kMaxFiller = 16 << 20;
constexpr int kPromptRoom = 1024;  // for the request itself and what the chat template adds

Result<std::vector<std::string>> beginnings(const Model& model, const Suite& suite) {
  LLMPATCH_ASSIGN(const std::string text, read_file(suite.filler, kMaxFiller, "filler text"));
  LLMPATCH_ASSIGN(const Tokens tokens, model.tokenize(text, false));
  std::vector<std::string> texts;
  for (const int count : suite.filler_tokens) {
    const auto wanted = static_cast<std::size_t>(count);
    if (wanted > tokens.size()) {
      return make_error(ErrorKind::kInvalidArgument, "suite",
                        suite.filler.string() + ": found " + std::to_string(tokens.size()) +
                            " tokens, expected at least " + std::to_string(wanted));
    }
    texts.push_back(model.text(std::span(tokens).first(wanted)));
  }
  return texts;
}

}  // namespace

SuitePrompt after_text(const SuitePrompt& prompt, const std::string& text) {
  if (text.empty()) return prompt;
  SuitePrompt longer = prompt;
  auto& messages = longer.prompt.messages;
  const auto last = std::find_if(messages.rbegin(), messages.rend(),
                                 [](const Message& message) { return message.role == "user"; });
  if (last != messages.rend()) last->content = text + "\n\n" + last->content;
  return longer;
}

Result<MeasuredSuite> measure_long_prompt(EvalRun& run, const PlannedSuite& planned) {
  const Suite& suite = planned.suite;
  LLMPATCH_ASSIGN(const auto texts, beginnings(run.model, suite));
  std::vector<Variant> variants;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    Variant variant{std::to_string(suite.filler_tokens[i]) + " tokens", {}};
    for (const SuitePrompt& prompt : planned.prompts) {
      variant.prompts.push_back(after_text(prompt, texts[i]));
    }
    variants.push_back(std::move(variant));
  }
  LLMPATCH_ASSIGN(MeasuredSuite measured, measure_variants(run, planned, variants));
  LLMPATCH_ASSIGN(measured.settings["filler_sha256"], sha256_of_file(suite.filler, "filler text"));
  return measured;
}

Result<SuiteCost> long_prompt_cost(const PlannedSuite& planned, const EvalOptions& options) {
  return variants_cost(planned, options, planned.suite.filler_tokens.size());
}

int context_for(std::span<const Suite> suites) {
  int context = 0;
  for (const Suite& suite : suites) {
    if (suite.filler_tokens.empty()) continue;
    const int longest = std::ranges::max(suite.decodings, {}, &Decoding::max_tokens).max_tokens;
    context = std::max(context, std::ranges::max(suite.filler_tokens) + kPromptRoom + longest);
  }
  return context;
}

}  // namespace llmpatch
