#include "eval/text_perplexity.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/file.h"
#include "eval/generation.h"

namespace llmpatch {
namespace {

constexpr std::uint64_t kMaxText = 16 << 20;

Result<Metric> perplexity_of_text(EvalRun& run, const std::string& text, int window,
                                  const System& system) {
  const Model& model = run.model_of(system);
  LLMPATCH_ASSIGN(const Tokens tokens, model.tokenize(text, false));
  const Tokens bos = model.bos();
  Tokens before = bos;
  if (const std::string_view message = run.system_text(system); !message.empty()) {
    LLMPATCH_ASSIGN(const Tokens told, model.tokenize(std::string(message) + "\n\n", false));
    before.insert(before.end(), told.begin(), told.end());
  }
  std::vector<ScoreRequest> requests;
  const auto size = static_cast<std::size_t>(window);
  for (const std::size_t start : window_starts(tokens.size(), size)) {
    const auto first = tokens.begin() + static_cast<std::ptrdiff_t>(start);
    const auto last =
        tokens.begin() + static_cast<std::ptrdiff_t>(std::min(start + size, tokens.size()));
    ScoreRequest request;
    request.stack = run.stack_of(system);
    request.prompt = before;
    const auto counted = bos.empty() ? first + 1 : first;  // from a token that has one before it
    request.prompt.insert(request.prompt.end(), first, counted);
    request.continuation.assign(counted, last);
    requests.push_back(std::move(request));
  }
  LLMPATCH_ASSIGN(const auto scores, run.engine_of(system).score(requests, run.cancel));
  Metric metric{"perplexity", Scale::kGeometric, {}};
  for (const auto& log_probs : scores) {
    const double sum = std::accumulate(log_probs.begin(), log_probs.end(), 0.0);
    metric.values.push_back(std::exp(-sum / static_cast<double>(log_probs.size())));
  }
  if (metric.values.empty()) {
    return make_error(
        ErrorKind::kInvalidArgument, "suite",
        "text: found " + std::to_string(tokens.size()) + " tokens, expected at least two");
  }
  run.progress.end_phase(1);
  return metric;
}

}  // namespace

Result<std::vector<SuitePrompt>> read_text(const Suite& suite, std::optional<PromptFormat>,
                                           PromptFormat) {
  LLMPATCH_ASSIGN(std::string text, read_file(suite.prompts, kMaxText, "text"));
  if (text.empty()) {
    return make_error(ErrorKind::kInvalidArgument, "suite",
                      suite.prompts.string() + ": found an empty file, expected text");
  }
  SuitePrompt prompt;
  prompt.prompt.messages = {{"user", std::move(text)}};
  prompt.format = PromptFormat::kRaw;
  return std::vector<SuitePrompt>{std::move(prompt)};
}

std::vector<std::size_t> window_starts(std::size_t tokens, std::size_t window) {
  std::vector<std::size_t> starts;
  for (std::size_t start = 0; start + window <= tokens; start += window) starts.push_back(start);
  if (starts.empty() && tokens >= 2) starts.push_back(0);
  return starts;
}

Result<MeasuredSuite> measure_text_perplexity(EvalRun& run, const PlannedSuite& planned) {
  MeasuredSuite measured = begin_measurement(planned);
  measured.settings = {{"window", planned.suite.window}};
  measured.headline = {"perplexity"};
  for (const System& system : systems_of(run.options)) {
    LLMPATCH_ASSIGN(Metric metric, perplexity_of_text(run, planned.prompts.front().prompt.text(),
                                                      planned.suite.window, system));
    if (system == System::kBase) measured.n = metric.values.size();
    // A teacher of another vocabulary has other windows, which cannot be paired with these.
    const bool alike = metric.values.size() == measured.n;
    if (!alike) metric.name += " (own windows)";
    measured.systems.push_back({system, {std::move(metric)}, {}, {}});
  }
  return measured;
}

Result<SuiteCost> text_perplexity_cost(const PlannedSuite& planned, const EvalOptions& options) {
  SuiteCost cost;
  cost.work = systems_of(options).size();
  // About four bytes of English text are a token.
  cost.scored_tokens = cost.work * planned.prompts.front().prompt.text().size() / 4;
  return cost;
}

}  // namespace llmpatch
