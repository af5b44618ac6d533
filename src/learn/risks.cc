#include "learn/risks.h"

#include <sstream>

#include "base/file.h"

namespace llmpatch {
namespace {

constexpr const char* kBaseline = "baseline.json";
constexpr std::uint64_t kMaxBaselineBytes = 1 << 20;

std::string percent(double share) {
  std::ostringstream text;
  text.precision(3);
  text << 100 * share << " %";
  return text.str();
}

}  // namespace

Status measure_baseline(RunDirectory& run, const std::vector<FinishedRun>& runs,
                        Validator& validator) {
  if (run.done("baseline")) return {};
  return run.timed("baseline", [&]() -> Status {
    LLMPATCH_ASSIGN(const auto figures, validator.measure_base());
    OrderedJson risks;
    for (std::size_t i = 0; i < figures.size(); ++i) risks[runs[i].risk] = figures[i];
    LLMPATCH_TRY(write_file_atomic(run.file(kBaseline), json_pretty(risks)));
    return run.set_done("baseline");
  });
}

Result<std::vector<RiskReport>> read_baseline(const RunDirectory& run,
                                              const std::vector<FinishedRun>& runs) {
  const std::filesystem::path file = run.file(kBaseline);
  LLMPATCH_ASSIGN(const std::string text, read_file(file, kMaxBaselineBytes, "baseline"));
  LLMPATCH_ASSIGN(const Json figures, parse_json(text, file.string()));
  std::vector<RiskReport> risks;
  for (const FinishedRun& from : runs) {
    LLMPATCH_ASSIGN(const double base, json_number(figures, from.risk.c_str(), file.string()));
    risks.push_back({from.risk, base, 0});
  }
  return risks;
}

std::string baseline_text(const std::vector<RiskReport>& risks) {
  std::string text = "the base model alone:";
  for (const RiskReport& risk : risks) {
    text += (&risk == &risks.front() ? " " : ", ") + risk.risk + " " + percent(risk.base);
  }
  return text;
}

std::string validation_text(const Validation& found, const std::vector<RiskReport>& risks) {
  std::string text = "refused " + percent(found.refused);
  for (std::size_t i = 0; i < found.risks.size(); ++i) {
    text += (i > 0 ? ", " : " (") + risks[i].risk + " " + percent(found.risks[i]) + " from " +
            percent(risks[i].base);
  }
  if (!found.risks.empty()) text += ")";
  std::ostringstream rest;
  rest.precision(3);
  rest << ", over-refused " << 100 * found.over_refused << " %, KL " << found.divergence;
  return text + rest.str();
}

std::vector<std::string> worse_risks(const Validation& found,
                                     const std::vector<RiskReport>& risks) {
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < found.risks.size(); ++i) {
    if (found.risks[i] >= risks[i].base) continue;
    lines.push_back("risk " + risks[i].risk +
                    ": what was learned does worse than the base model: " +
                    percent(found.risks[i]) + " from " + percent(risks[i].base) + " (validation)");
  }
  return lines;
}

}  // namespace llmpatch
