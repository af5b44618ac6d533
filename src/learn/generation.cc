#include "learn/generation.h"

#include <algorithm>
#include <utility>

#include "base/file.h"
#include "base/json.h"
#include "base/lines.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kChunk = 128;  // prompts

// Whole lines of `file` in whole chunks, as text; what follows a kill is cut away.
Result<std::vector<std::string>> finished_lines(const fs::path& file, std::size_t prompts) {
  std::error_code code;
  if (!fs::exists(file, code)) return std::vector<std::string>{};
  LLMPATCH_ASSIGN(const std::string text, read_file(file, kMaxAnswerBytes, "answers"));
  const auto whole = whole_lines(text);
  std::vector<std::string> lines(whole.begin(), whole.end());
  if (lines.size() < prompts) lines.resize(lines.size() / kChunk * kChunk);
  std::string kept;
  for (const auto& line : lines) kept += line + "\n";
  if (kept != text) LLMPATCH_TRY(write_file_atomic(file, kept));
  return lines;
}

}  // namespace

Result<std::vector<Answers>> generate_answers(Engine& engine, const std::vector<Prompt>& prompts,
                                              const std::vector<PromptFormat>& formats,
                                              const AnswerSettings& settings, const fs::path& file,
                                              const CancelFlag* cancel,
                                              const ProgressFn& progress) {
  const auto samples = static_cast<std::size_t>(settings.samples);
  std::vector<Answers> all;
  LLMPATCH_ASSIGN(const auto lines, finished_lines(file, prompts.size()));
  for (std::size_t i = 0; i < std::min(lines.size(), prompts.size()); ++i) {
    const std::string where = file.string() + " line " + std::to_string(i + 1);
    LLMPATCH_ASSIGN(const Json line, parse_json(lines[i], where));
    LLMPATCH_ASSIGN(const std::string digest, json_string(line, "prompt_digest", where));
    LLMPATCH_ASSIGN(Answers answers, parse_answers(line, where));
    if (digest != prompts[i].digest() || answers.texts.size() != samples) {
      return other_answers(where);
    }
    all.push_back(std::move(answers));
  }
  const auto places = first_places(prompts, formats);
  while (all.size() < prompts.size()) {
    const std::size_t first = all.size();
    const std::size_t last = std::min(prompts.size(), first + kChunk);
    std::vector<GenerateRequest> requests;
    for (std::size_t i = first; i < last; ++i) {
      if (places[i] != i) continue;
      GenerateRequest request;
      LLMPATCH_ASSIGN(request.prompt,
                      encode_prompt(engine.model(), prompts[i], formats[i], settings.system));
      request.sampling = settings.sampling;
      request.max_tokens = settings.max_tokens;
      request.random_key = prompts[i].digest();
      for (std::size_t k = 0; k < samples; ++k) {
        request.sampling.sample = static_cast<std::uint32_t>(k);
        requests.push_back(request);
      }
    }
    const ProgressFn in_chunk = [&](std::uint64_t done, std::uint64_t, const std::string& note) {
      if (progress) progress(first + done / samples, prompts.size(), note);
    };
    LLMPATCH_ASSIGN(const auto completions, engine.generate(requests, cancel, in_chunk));
    std::string text;
    auto completion = completions.begin();
    for (std::size_t i = first; i < last; ++i) {
      Answers answers;
      if (places[i] != i) answers = all[places[i]];
      for (std::size_t k = 0; places[i] == i && k < samples; ++k, ++completion) {
        answers.texts.push_back(completion->text);
        answers.complete.push_back(completion->finish == FinishReason::kEnd);
      }
      text += answers_line(prompts[i], answers);
      all.push_back(std::move(answers));
    }
    LLMPATCH_TRY(append_text(file, text));
    // What comes back from disk is what is learned from: a text with a cut character is the same
    // after a resume as without one.
    for (std::size_t i = first; i < last; ++i) {
      for (std::string& answer : all[i].texts)
        answer = Json::parse(json_line(Json(answer))).get<std::string>();
    }
  }
  return all;
}

}  // namespace llmpatch
