#include "learn/reference.h"

#include <numeric>

#include "learn/examples.h"

namespace llmpatch {
namespace {

Result<std::vector<double>> engine_logprobs(const Teacher& teacher,
                                            const std::vector<Sequence>& sequences,
                                            const CancelFlag* cancel, const ProgressFn& progress) {
  LLMPATCH_ASSIGN(const auto engine, Engine::create(teacher.model, teacher.engine));
  std::vector<ScoreRequest> requests;
  for (const auto& sequence : sequences) {
    for (const auto& answer : sequence.answers) requests.push_back({sequence.prompt, answer, {}});
  }
  LLMPATCH_ASSIGN(const auto scores, engine->score(requests, cancel, progress));
  std::vector<double> sums;
  for (const auto& tokens : scores) {
    sums.push_back(std::accumulate(tokens.begin(), tokens.end(), 0.0));
  }
  return sums;
}

}  // namespace

Result<Tokens> encode_answer(const Model& model, const std::string& text, bool complete) {
  LLMPATCH_ASSIGN(Tokens tokens, model.tokenize(text, /*parse_special=*/false));
  if (complete) tokens.push_back(model.end_token());
  return tokens;
}

Result<std::vector<double>> teacher_logprobs(const Teacher& teacher,
                                             const std::vector<Preference>& preferences, int limit,
                                             bool& used_engine, const CancelFlag* cancel,
                                             const ProgressFn& progress) {
  used_engine = false;
  std::vector<Sequence> sequences;
  for (const Preference& preference : preferences) {
    Sequence sequence;
    LLMPATCH_ASSIGN(sequence.prompt, encode_prompt(teacher.model, preference.prompt,
                                                   preference.format, teacher.system));
    LLMPATCH_ASSIGN(Tokens chosen,
                    encode_answer(teacher.model, preference.chosen, preference.chosen_complete));
    LLMPATCH_ASSIGN(Tokens rejected, encode_answer(teacher.model, preference.rejected,
                                                   preference.rejected_complete));
    cut_answer(chosen, limit);
    cut_answer(rejected, limit);
    sequence.answers = {std::move(chosen), std::move(rejected)};
    sequences.push_back(std::move(sequence));
  }
  if (teacher.file.empty()) {
    return answer_logprobs(teacher.base, {}, sequences, cancel, progress);
  }
  LLMPATCH_ASSIGN(const auto file, GgufFile::open(teacher.file, "teacher model"));
  auto loaded = load_transformer(file, teacher.arithmetic);
  if (loaded.ok()) return answer_logprobs(**loaded, {}, sequences, cancel, progress);
  if (loaded.error().kind != ErrorKind::kUnsupported) return std::move(loaded).error();
  used_engine = true;
  return engine_logprobs(teacher, sequences, cancel, progress);
}

}  // namespace llmpatch
