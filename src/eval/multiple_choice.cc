#include "eval/multiple_choice.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "base/file_digest.h"
#include "eval/generation.h"

namespace llmpatch {
namespace {

constexpr std::size_t kMinChoices = 2, kMaxChoices = 26;
constexpr std::uint64_t kTokensPerItem = 8;  // of all choices, for the plan

Error wrong(const std::string& where, const std::string& message) {
  return make_error(ErrorKind::kCorrupt, "suite", where + ": " + message);
}

std::string letter(std::size_t choice) { return std::string(1, static_cast<char>('A' + choice)); }

Result<std::size_t> answer_of(const Json& line, std::size_t choices, const std::string& where) {
  if (!line.contains("answer")) return wrong(where, "member 'answer': found none");
  const Json& answer = line["answer"];
  std::size_t index = choices;
  if (answer.is_number_unsigned()) {
    index = static_cast<std::size_t>(std::min<std::uint64_t>(answer.get<std::uint64_t>(), choices));
  } else if (answer.is_string() && answer.get<std::string>().size() == 1) {
    const char c = answer.get<std::string>().front();
    if (c >= 'A' && c <= 'Z') index = static_cast<std::size_t>(c - 'A');
  }
  if (index >= choices) {
    return wrong(where, "answer: found " + json_line(answer) + ", expected 0 to " +
                            std::to_string(choices - 1) + " or A to " + letter(choices - 1));
  }
  return index;
}

Result<ChoiceItem> item_of(const Json& line, const std::string& where) {
  for (const auto& [key, unused] : line.items()) {
    if (key != "question" && key != "choices" && key != "answer" && key != "subject") {
      return wrong(where,
                   "found member '" + key + "', expected question, choices, answer, subject");
    }
  }
  ChoiceItem item;
  LLMPATCH_ASSIGN(item.question, json_string(line, "question", where));
  if (line.contains("subject")) {
    LLMPATCH_ASSIGN(item.subject, json_string(line, "subject", where));
  }
  LLMPATCH_ASSIGN(const Json choices, json_array(line, "choices", where));
  if (choices.size() < kMinChoices || choices.size() > kMaxChoices) {
    return wrong(where, "choices: found " + std::to_string(choices.size()) + ", expected " +
                            std::to_string(kMinChoices) + " to " + std::to_string(kMaxChoices));
  }
  for (const Json& choice : choices) {
    if (!choice.is_string() || choice.get<std::string>().empty()) {
      return wrong(where, "choices: found " + json_line(choice) + ", expected text");
    }
    item.choices.push_back(choice.get<std::string>());
  }
  LLMPATCH_ASSIGN(item.answer, answer_of(line, item.choices.size(), where));
  return item;
}

std::string stripped(const std::string& text) {
  constexpr const char* kSpace = " \t\n\r\f\v";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(kSpace) + 1 - first);
}

// A question as it is asked, up to "Answer:".
std::string asked(const ChoiceItem& item, bool lettered) {
  if (!lettered) return "Question: " + item.question + "\nAnswer:";
  std::string text = stripped(item.question);
  for (std::size_t i = 0; i < item.choices.size(); ++i) {
    text.append("\n").append(letter(i)).append(". ").append(item.choices[i]);
  }
  return text + "\nAnswer:";
}

// Characters of UTF-8.
std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

// The tokens of `context` and those that `continuation` adds, split as lm-evaluation-harness splits
// them: the whole text is tokenised once, and the context's own number of tokens is taken off.
Result<ScoreRequest> encode(const Model& model, const std::string& context,
                            const std::string& continuation) {
  LLMPATCH_ASSIGN(const Tokens before, model.tokenize(context, false));
  LLMPATCH_ASSIGN(const Tokens whole, model.tokenize(context + continuation, false));
  ScoreRequest request;
  request.prompt = model.bos();
  const auto cut =
      whole.begin() + static_cast<std::ptrdiff_t>(std::min(before.size(), whole.size()));
  request.prompt.insert(request.prompt.end(), whole.begin(), cut);
  request.continuation.assign(cut, whole.end());
  return request;
}

struct Accuracy {
  Metric plain, normalised;
};

Result<Accuracy> measure_shots(EvalRun& run, std::span<const ChoiceItem> items,
                               std::span<const ChoiceItem> examples, bool lettered,
                               const System& system) {
  std::vector<ScoreRequest> requests;
  const std::string_view message = run.system_text(system);
  const std::string before = message.empty() ? "" : std::string(message) + "\n\n";
  for (const ChoiceItem& item : items) {
    const ChoiceText text = choice_text(item, examples, lettered);
    // One after the other behind the same context, which the engine then decodes once.
    for (const std::string& continuation : text.continuations) {
      LLMPATCH_ASSIGN(ScoreRequest request,
                      encode(run.model_of(system), before + text.context, continuation));
      request.stack = run.stack_of(system);
      requests.push_back(std::move(request));
    }
  }
  const ProgressFn phase = run.progress.phase("multiple choice");
  const ProgressFn progress = [&](std::uint64_t done, std::uint64_t total,
                                  const std::string& note) {
    if (phase && total > 0) phase(items.size() * done / total, items.size(), note);
  };
  LLMPATCH_ASSIGN(const auto scores, run.engine_of(system).score(requests, run.cancel, progress));
  const std::string shot = "@" + std::to_string(examples.size()) + "-shot";
  Accuracy accuracy{{"acc" + shot, Scale::kShare, {}}, {"acc_norm" + shot, Scale::kShare, {}}};
  std::size_t request = 0;
  for (const ChoiceItem& item : items) {
    std::vector<double> sums;
    std::vector<std::size_t> lengths;
    for (std::size_t choice = 0; choice < item.choices.size(); ++choice, ++request) {
      sums.push_back(std::accumulate(scores[request].begin(), scores[request].end(), 0.0));
      lengths.push_back(lettered ? 1 : characters(item.choices[choice]));
    }
    const ChoiceRanking ranking = rank_choices(sums, lengths);
    accuracy.plain.values.push_back(ranking.likeliest == item.answer ? 1 : 0);
    accuracy.normalised.values.push_back(ranking.normalised == item.answer ? 1 : 0);
  }
  run.progress.end_phase(items.size());
  return accuracy;
}

Result<std::vector<ChoiceItem>> examples_of(const Suite& suite) {
  const auto most = static_cast<std::size_t>(std::ranges::max(suite.shots));
  std::vector<ChoiceItem> examples;
  if (!suite.examples.empty()) {
    LLMPATCH_ASSIGN(examples, read_items(suite.examples, "solved examples"));
  }
  if (examples.size() < most) {
    return make_error(ErrorKind::kInvalidArgument, "suite",
                      suite.name + ": examples: found " + std::to_string(examples.size()) +
                          ", expected at least " + std::to_string(most) + " (shots)");
  }
  return examples;
}

void add_responses(std::span<const ChoiceItem> items, const SystemMetrics& system,
                   MeasuredSuite& measured) {
  for (std::size_t i = 0; i < items.size(); ++i) {
    OrderedJson line{{"suite", measured.suite.name},
                     {"item", i},
                     {"category", items[i].subject},
                     {"system", system_name(system.system)}};
    for (const Metric& metric : system.metrics) line[metric.name] = metric.values[i] == 1;
    measured.responses.push_back(std::move(line));
  }
}

}  // namespace

Result<std::vector<ChoiceItem>> read_items(const std::filesystem::path& path,
                                           std::string_view what) {
  LLMPATCH_ASSIGN(const auto lines, read_json_lines(path, what));
  std::vector<ChoiceItem> items;
  for (const JsonLine& line : lines) {
    LLMPATCH_ASSIGN(ChoiceItem item,
                    item_of(line.value, path.string() + " line " + std::to_string(line.number)));
    items.push_back(std::move(item));
  }
  return items;
}

Result<std::vector<SuitePrompt>> read_choice_items(const Suite& suite, std::optional<PromptFormat>,
                                                   PromptFormat) {
  LLMPATCH_ASSIGN(const auto items, read_items(suite.prompts, "suite " + suite.name));
  if (items.empty()) {
    return make_error(ErrorKind::kInvalidArgument, "suite",
                      suite.prompts.string() + ": found no item, expected at least one");
  }
  std::vector<SuitePrompt> prompts;
  for (const ChoiceItem& item : items) {
    SuitePrompt prompt;
    prompt.prompt.messages = {{"user", item.question}};
    prompt.prompt.line = prompts.size() + 1;
    prompt.format = PromptFormat::kRaw;
    prompt.category = item.subject;
    prompts.push_back(std::move(prompt));
  }
  return prompts;
}

ChoiceText choice_text(const ChoiceItem& item, std::span<const ChoiceItem> examples,
                       bool lettered) {
  const auto solution = [&](const ChoiceItem& solved, std::size_t choice) {
    return " " + (lettered ? letter(choice) : solved.choices[choice]);
  };
  ChoiceText text;
  if (lettered && !item.subject.empty()) {
    text.context = "The following are multiple choice questions (with answers) about " +
                   item.subject + ".\n\n";
  }
  for (const ChoiceItem& example : examples) {
    text.context += asked(example, lettered) + solution(example, example.answer) + "\n\n";
  }
  text.context += asked(item, lettered);
  for (std::size_t i = 0; i < item.choices.size(); ++i) {
    text.continuations.push_back(solution(item, i));
  }
  return text;
}

ChoiceRanking rank_choices(std::span<const double> log_likelihoods,
                           std::span<const std::size_t> lengths) {
  ChoiceRanking ranking;
  const auto normalised = [&](std::size_t i) {
    return log_likelihoods[i] / static_cast<double>(lengths[i]);
  };
  for (std::size_t i = 1; i < log_likelihoods.size(); ++i) {
    if (log_likelihoods[i] > log_likelihoods[ranking.likeliest]) ranking.likeliest = i;
    if (normalised(i) > normalised(ranking.normalised)) ranking.normalised = i;
  }
  return ranking;
}

Result<MeasuredSuite> measure_multiple_choice(EvalRun& run, const PlannedSuite& planned) {
  const Suite& suite = planned.suite;
  LLMPATCH_ASSIGN(const auto items, read_items(suite.prompts, "suite " + suite.name));
  LLMPATCH_ASSIGN(const auto examples, examples_of(suite));
  MeasuredSuite measured = begin_measurement(planned);
  measured.settings = {{"style", suite.lettered ? "mmlu" : "arc"}, {"shots", suite.shots}};
  if (!suite.examples.empty()) {
    LLMPATCH_ASSIGN(measured.settings["examples_sha256"],
                    sha256_of_file(suite.examples, "solved examples"));
  }
  for (const System& system : systems_of(run.options)) {
    SystemMetrics metrics;
    metrics.system = system;
    const std::size_t n = prompts_of(system, items.size(), run.options);
    for (const int shots : suite.shots) {
      LLMPATCH_ASSIGN(Accuracy accuracy,
                      measure_shots(run, std::span(items).first(n),
                                    std::span(examples).first(static_cast<std::size_t>(shots)),
                                    suite.lettered, system));
      metrics.metrics.push_back(std::move(accuracy.plain));
      metrics.metrics.push_back(std::move(accuracy.normalised));
    }
    add_responses(std::span(items).first(n), metrics, measured);
    for (Metric& metric : metrics.metrics) {
      metric.values.resize(items.size(), std::numeric_limits<double>::quiet_NaN());
    }
    measured.systems.push_back(std::move(metrics));
  }
  for (const int shots : suite.shots) {
    measured.headline.push_back((suite.lettered ? "acc@" : "acc_norm@") + std::to_string(shots) +
                                "-shot");
  }
  return measured;
}

Result<SuiteCost> multiple_choice_cost(const PlannedSuite& planned, const EvalOptions& options) {
  LLMPATCH_TRY(examples_of(planned.suite));
  SuiteCost cost;
  for (const System& system : systems_of(options)) {
    const std::size_t n = prompts_of(system, planned.prompts.size(), options);
    cost.work += n * planned.suite.shots.size();
    cost.scored_tokens += n * planned.suite.shots.size() * kTokensPerItem;
  }
  return cost;
}

}  // namespace llmpatch
