// The files of an evaluation.
#include "base/file.h"
#include "base/json.h"
#include "eval/card.h"
#include "eval/evaluate.h"
#include "eval/report.h"
#include "eval/report_answers.h"

namespace llmpatch {
namespace {

// One line per prompt: {"suite", "line", "category", "prompt", "base", "patch", ...}; of measured
// suites one per answer, and so of the answers that were given in full for the report.
std::string response_lines(const EvalResult& result) {
  std::string text;
  for (const auto& suite : result.suites) {
    for (std::size_t i = 0; i < suite.prompts.size(); ++i) {
      const SuitePrompt& prompt = suite.prompts[i];
      OrderedJson line{{"suite", suite.suite.name},
                       {"line", prompt.prompt.line},
                       {"category", prompt.category},
                       {"prompt", prompt.prompt.text()}};
      for (const auto& system : suite.systems) {
        if (i >= system.answers.size()) continue;
        const Answer& answer = system.answers[i];
        line[std::string(system_name(system.system))] =
            OrderedJson{{"response", answer.text},
                        {"refused", answer.refused},
                        {"degenerate", answer.degeneration != Degeneration::kNone}};
      }
      text += json_line(line) + "\n";
    }
    for (const auto& example : suite.examples) {
      const SuitePrompt& prompt = suite.prompts[example.prompt];
      for (std::size_t i = 0; i < example.texts.size(); ++i) {
        text += json_line(OrderedJson{{"suite", suite.suite.name},
                                      {"line", prompt.prompt.line},
                                      {"category", prompt.category},
                                      {"prompt", prompt.prompt.text()},
                                      {"system", system_name(suite.systems[i].system)},
                                      {"decoding", kFullDecoding},
                                      {"response", example.texts[i]}}) +
                "\n";
      }
    }
  }
  for (const auto& suite : result.measured) {
    for (const auto& line : suite.responses) text += json_line(line) + "\n";
  }
  return text;
}

}  // namespace

Status write_eval(const EvalResult& result, const std::filesystem::path& out,
                  const std::filesystem::path& metrics, Overwrite overwrite) {
  std::vector<JsonLine> curves;
  if (!metrics.empty()) {
    LLMPATCH_ASSIGN(curves, read_json_lines(metrics, "learning metrics"));
  }
  std::error_code code;
  std::filesystem::create_directories(out, code);
  if (code) {
    return make_error(ErrorKind::kIo, "eval", "create " + out.string() + ": " + code.message());
  }
  // The card comes last: a directory that has one is complete.
  if (overwrite == Overwrite::kNo && std::filesystem::exists(out / "eval.json", code)) {
    return make_error(ErrorKind::kExists, "eval",
                      "write " + (out / "eval.json").string() + ": it exists already",
                      "choose another directory or say --force");
  }
  const OrderedJson card = eval_card(result);
  ReportSource source{out.filename().string(), (out / "eval.json").string(), Json(card),
                      response_lines(result), std::move(curves)};
  LLMPATCH_ASSIGN(const std::string report, report_html(std::span(&source, 1)));
  LLMPATCH_TRY(write_file_atomic(out / "responses.jsonl", source.responses));
  LLMPATCH_TRY(write_file_atomic(out / "report.html", report));
  return write_file_atomic(out / "eval.json", json_pretty(card), overwrite);
}

}  // namespace llmpatch
