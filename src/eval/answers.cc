#include "eval/answers.h"

#include <algorithm>

#include "base/json.h"
#include "eval/answer_cache.h"
#include "judge/refusal.h"

namespace llmpatch {
namespace {

// Everything the answers depend on, as text.
std::string cache_key(const EvalRun& run, std::span<const SuitePrompt> prompts, System system,
                      int max_tokens) {
  const EngineOptions& engine = run.options.engine;
  Json key{{"tool", run.options.tool_version},
           {"model", run.options.model_sha256},
           {"system", run.system_text(system)},
           {"max_tokens", max_tokens},
           {"engine", {engine.exact, engine.threads, engine.max_concurrent, engine.context}},
           {"prompts", Json::array()}};
  for (const auto& entry : prompts) {
    key["prompts"].push_back({entry.prompt.digest(), entry.format == PromptFormat::kRaw});
  }
  return json_line(key);
}

Result<std::vector<Answer>> generate_chunk(EvalRun& run, std::span<const SuitePrompt> prompts,
                                           System system, int max_tokens,
                                           const ProgressFn& progress) {
  std::vector<GenerateRequest> requests;
  requests.reserve(prompts.size());
  for (const auto& entry : prompts) {
    GenerateRequest request;
    LLMPATCH_ASSIGN(request.prompt, encode_for(run, entry, system));
    request.stack = run.stack_of(system);
    request.max_tokens = max_tokens;
    requests.push_back(std::move(request));
  }
  LLMPATCH_ASSIGN(std::vector<Completion> completions,
                  run.engine.generate(requests, run.cancel, progress));
  std::vector<Answer> answers;
  answers.reserve(completions.size());
  for (auto& completion : completions) {
    Answer answer;
    answer.tokens = std::move(completion.tokens);
    answer.ended = completion.finish == FinishReason::kEnd;
    answers.push_back(std::move(answer));
  }
  return answers;
}

}  // namespace

void judge_answer(const Model& model, Answer& answer) {
  answer.text = model.text(answer.tokens);
  const std::span<const Token> tokens(answer.tokens);
  const std::size_t judged = std::min<std::size_t>(tokens.size(), kRefusalTokens);
  answer.refused =
      is_refusal(judged == tokens.size() ? answer.text : model.text(tokens.first(judged)));
  answer.degeneration = degeneration(answer.text);
}

Result<Tokens> encode_for(const EvalRun& run, const SuitePrompt& prompt, System system) {
  return encode_prompt(run.model, prompt.prompt, prompt.format, run.system_text(system));
}

Result<std::vector<Answer>> answer_prompts(EvalRun& run, std::span<const SuitePrompt> prompts,
                                           System system, int max_tokens) {
  const bool keep = system != System::kPatched;
  const AnswerCache cache(keep ? run.options.cache : std::filesystem::path(),
                          cache_key(run, prompts, system, max_tokens), run.model.n_vocab());
  std::vector<std::string> digests;
  for (const auto& entry : prompts) digests.push_back(entry.prompt.digest());

  std::vector<Answer> answers = cache.load(digests);
  // An interrupted run leaves whole chunks; anything else is not of this layout.
  if (answers.size() != prompts.size())
    answers.resize(answers.size() / kAnswerChunk * kAnswerChunk);
  const ProgressFn phase = run.progress.phase("answers of " + std::string(system_name(system)));
  while (answers.size() < prompts.size()) {
    const std::size_t first = answers.size();
    const std::size_t count = std::min(kAnswerChunk, prompts.size() - first);
    const ProgressFn progress = [&](std::uint64_t done, std::uint64_t total,
                                    const std::string& note) {
      if (phase) phase(first + done, total, note);
    };
    LLMPATCH_ASSIGN(std::vector<Answer> chunk, generate_chunk(run, prompts.subspan(first, count),
                                                              system, max_tokens, progress));
    std::move(chunk.begin(), chunk.end(), std::back_inserter(answers));
    LLMPATCH_TRY(cache.save(answers, digests));
  }
  for (auto& answer : answers) judge_answer(run.model, answer);
  run.progress.end_phase(prompts.size());
  return answers;
}

}  // namespace llmpatch
