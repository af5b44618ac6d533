// llmpatch report: one page of one evaluation or of several.
#include "eval/report.h"

#include <memory>
#include <string>
#include <vector>

#include "command.h"
#include "output_file.h"
#include "terminal.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxMetrics = std::uint64_t{64} << 20;

struct Options {
  std::vector<fs::path> evaluations, metrics;
  fs::path output;
  bool force = false;
};

Status run(const Options& options) {
  if (options.metrics.size() > options.evaluations.size()) {
    return make_error(ErrorKind::kInvalidArgument, "command line",
                      "--metrics: found " + std::to_string(options.metrics.size()) +
                          ", expected at most one for each evaluation");
  }
  std::vector<fs::path> inputs = options.metrics;
  for (const fs::path& evaluation : options.evaluations) {
    inputs.insert(inputs.end(),
                  {evaluation, evaluation / "eval.json", evaluation / "responses.jsonl",
                   evaluation.parent_path() / "responses.jsonl"});
  }
  LLMPATCH_TRY(check_output_file(options.output, overwrite_if(options.force), inputs));
  LLMPATCH_ASSIGN(std::vector<ReportSource> sources, read_report_sources(options.evaluations));
  for (std::size_t i = 0; i < options.metrics.size(); ++i) {
    LLMPATCH_ASSIGN(sources[i].metrics,
                    read_json_lines(options.metrics[i], "learning metrics", kMaxMetrics));
  }
  LLMPATCH_ASSIGN(const std::string html, report_html(sources));
  LLMPATCH_TRY(write_file_atomic(options.output, html, overwrite_if(options.force)));
  say("wrote " + options.output.string());
  return {};
}

}  // namespace

RunFn declare_report(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("evaluations", options->evaluations,
                 "Folders of `llmpatch eval`, or the eval.json in them")
      ->required();
  app.add_option("--metrics", options->metrics,
                 "metrics.jsonl of a learning run, in the order of the evaluations; repeatable "
                 "(default: what lies beside them)")
      ->allow_extra_args(false);
  app.add_option("-o,--output", options->output, "The page, an HTML file")->required();
  app.add_flag("--force", options->force, "Replace an existing file");
  return [options](const CancelFlag&) { return run(*options); };
}

}  // namespace llmpatch
