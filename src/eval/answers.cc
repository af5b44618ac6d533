#include "eval/answers.h"

#include <algorithm>

#include "base/json.h"
#include "eval/answer_cache.h"
#include "judge/refusal.h"

namespace llmpatch {
namespace {

// Everything the answers depend on, as text; what the system is called is no part of it.
std::string cache_key(const EvalRun& run, std::span<const SuitePrompt> prompts,
                      const System& system, const Decoding& decoding) {
  const EvalOptions& options = run.options;
  const EngineOptions& engine = options.engine;
  Json key{{"tool", options.tool_version},
           {"system", run.systems.of(system).identity},
           {"max_tokens", decoding.max_tokens},
           {"engine", {engine.exact, engine.threads, engine.max_concurrent, engine.context}},
           {"prompts", Json::array()}};
  if (!decoding.greedy()) {
    key["sampling"] = {decoding.samples, decoding.temperature, decoding.top_p, options.seed};
  }
  for (const auto& entry : prompts) {
    key["prompts"].push_back({entry.digest(), entry.format == PromptFormat::kRaw});
  }
  return json_line(key);
}

Result<std::vector<Answer>> generate_chunk(EvalRun& run, std::span<const SuitePrompt> prompts,
                                           const System& system, const Decoding& decoding,
                                           const ProgressFn& progress) {
  std::vector<GenerateRequest> requests;
  for (const auto& entry : prompts) {
    GenerateRequest request;
    LLMPATCH_ASSIGN(request.prompt, encode_for(run, entry, system));
    request.stack = run.stack_of(system);
    request.max_tokens = decoding.max_tokens;
    request.random_key = entry.digest();
    request.sampling.temperature = decoding.temperature;
    request.sampling.top_p = decoding.top_p;
    request.sampling.seed = run.options.seed;
    for (int sample = 0; sample < decoding.samples; ++sample) {
      request.sampling.sample = static_cast<std::uint32_t>(sample);
      requests.push_back(request);
    }
  }
  LLMPATCH_ASSIGN(std::vector<Completion> completions,
                  run.engine_of(system).generate(requests, run.cancel, progress));
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

Result<Tokens> encode_for(const EvalRun& run, const SuitePrompt& prompt, const System& system) {
  const Model& model = run.model_of(system);
  LLMPATCH_ASSIGN(Tokens tokens,
                  encode_prompt(model, prompt.prompt, prompt.format, run.system_text(system)));
  if (prompt.prefill.empty()) return tokens;
  LLMPATCH_ASSIGN(const Tokens begun, model.tokenize(prompt.prefill, false));
  tokens.insert(tokens.end(), begun.begin(), begun.end());
  return tokens;
}

Result<std::vector<Answer>> answer_prompts(EvalRun& run, std::span<const SuitePrompt> prompts,
                                           const System& system, const Decoding& decoding) {
  const AnswerCache cache(run.options.cache, cache_key(run, prompts, system, decoding),
                          run.model_of(system).n_vocab());
  const auto samples = static_cast<std::size_t>(decoding.samples);
  const std::size_t chunk = std::max<std::size_t>(1, kAnswerChunk / samples);  // in prompts
  std::vector<std::string> digests;  // of the prompt of each answer
  for (const auto& entry : prompts) digests.insert(digests.end(), samples, entry.digest());

  std::vector<Answer> answers = cache.load(digests);
  // An interrupted run leaves whole chunks; anything else is not of this layout.
  if (answers.size() != digests.size()) {
    answers.resize(answers.size() / (chunk * samples) * (chunk * samples));
  }
  const ProgressFn phase = run.progress.phase("answers of " + std::string(system_name(system)));
  while (answers.size() < digests.size()) {
    const std::size_t first = answers.size() / samples;
    const std::size_t count = std::min(chunk, prompts.size() - first);
    const ProgressFn progress = [&](std::uint64_t done, std::uint64_t total,
                                    const std::string& note) {
      if (phase) phase(first + done / samples, total / samples, note);
    };
    LLMPATCH_ASSIGN(std::vector<Answer> made,
                    generate_chunk(run, prompts.subspan(first, count), system, decoding, progress));
    std::move(made.begin(), made.end(), std::back_inserter(answers));
    LLMPATCH_TRY(cache.save(answers, digests));
  }
  for (auto& answer : answers) judge_answer(run.model_of(system), answer);
  run.progress.end_phase(prompts.size());
  return answers;
}

Result<std::vector<Answer>> answer_prompts(EvalRun& run, std::span<const SuitePrompt> prompts,
                                           const System& system, int max_tokens) {
  Decoding decoding;
  decoding.max_tokens = max_tokens;
  return answer_prompts(run, prompts, system, decoding);
}

}  // namespace llmpatch
