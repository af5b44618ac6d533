// llmpatch ablate: learns and measures every cell of a grid, and draws its table.
#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "command.h"
#include "patch/files.h"
#include "study/grid.h"
#include "terminal.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kMaxGridBytes = 1 << 20;
constexpr std::uint64_t kMaxResultBytes = 16 << 20;
constexpr std::uint64_t kMaxCardBytes = 256 << 20;

struct Options {
  fs::path file, output, results;
  std::vector<std::string> only;
  bool plan = false;
};

// Runs a subcommand as its own command line would.
Status run_subcommand(RunFn (*declare)(CLI::App&), std::vector<std::string> arguments,
                      const std::string& where, const CancelFlag& cancel) {
  CLI::App app;
  const RunFn run = declare(app);
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // as CLI11 wants them
  try {
    app.parse(std::move(reversed));
  } catch (const CLI::ParseError& error) {
    return make_error(ErrorKind::kInvalidArgument, "ablate", where + ": " + error.what());
  }
  return run(cancel);
}

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

class Study {
 public:
  Study(const Options& options, const CancelFlag& cancel) : options_(options), cancel_(cancel) {}

  Status run() {
    LLMPATCH_ASSIGN(const std::string text, read_file(options_.file, kMaxGridBytes, "grid"));
    LLMPATCH_ASSIGN(grid_, parse_grid(text, options_.file.string(), options_.output));
    LLMPATCH_TRY(check_only());
    for (const GridCell& cell : grid_.cells) {
      LLMPATCH_ASSIGN(auto result, finished(cell));
      results_.push_back(std::move(result));
    }
    say_plan();
    for (std::size_t i = 0; i < grid_.cells.size() && !options_.plan; ++i) {
      if (results_[i] || !wanted(grid_.cells[i])) continue;
      LLMPATCH_TRY(check_cancelled(&cancel_, "ablate"));
      LLMPATCH_ASSIGN(results_[i], run_cell(grid_.cells[i]));
      LLMPATCH_TRY(write_table());
      say_left();
    }
    LLMPATCH_TRY(options_.plan ? Status() : write_table());
    return print(grid_table(grid_, results_));
  }

 private:
  fs::path folder() const {
    return options_.results.empty() ? options_.output / "results" : options_.results;
  }
  fs::path result_file(const GridCell& cell) const { return folder() / (cell.name + ".json"); }

  bool wanted(const GridCell& cell) const {
    return options_.only.empty() ||
           std::find(options_.only.begin(), options_.only.end(), cell.name) != options_.only.end();
  }

  Status check_only() const {
    for (const std::string& name : options_.only) {
      const bool known = std::any_of(grid_.cells.begin(), grid_.cells.end(),
                                     [&](const GridCell& cell) { return cell.name == name; });
      if (known) continue;
      std::string names;
      for (const GridCell& cell : grid_.cells) names += (names.empty() ? "" : ", ") + cell.name;
      return make_error(ErrorKind::kInvalidArgument, "ablate",
                        "--only: found '" + name + "', expected one of " + names);
    }
    return {};
  }

  // The result of a cell measured with these very options, or nothing.
  Result<std::optional<CellResult>> finished(const GridCell& cell) const {
    std::error_code code;
    if (!fs::exists(result_file(cell), code)) return std::optional<CellResult>{};
    LLMPATCH_ASSIGN(const std::string text,
                    read_file(result_file(cell), kMaxResultBytes, "results"));
    LLMPATCH_ASSIGN(CellResult result, parse_cell_result(text, result_file(cell).string()));
    if (result.key != cell.key) {
      say(cell.name + ": its options changed, so it is run again");
      return std::optional<CellResult>{};
    }
    return std::optional(std::move(result));
  }

  std::size_t left() const {
    std::size_t count = 0;
    for (std::size_t i = 0; i < results_.size(); ++i) {
      if (!results_[i] && wanted(grid_.cells[i])) ++count;
    }
    return count;
  }

  // What the cells took that are finished, on average.
  std::optional<double> mean_seconds() const {
    double sum = 0;
    std::size_t count = 0;
    for (const auto& result : results_) {
      if (!result) continue;
      sum += result->learn_seconds + result->eval_seconds;
      ++count;
    }
    return count == 0 ? std::nullopt : std::optional(sum / static_cast<double>(count));
  }

  std::string time_left() const {
    const auto mean = mean_seconds();
    return mean ? "about " + duration_text(*mean * static_cast<double>(left())) + " at " +
                      duration_text(*mean) + " a cell so far"
                : "the first one tells how long";
  }

  void say_plan() const {
    say("plan: " + count_text(grid_.cells.size(), "cell") + ", " + std::to_string(left()) +
        " to run; " + (left() == 0 ? "nothing to do" : time_left()));
  }
  void say_left() const {
    if (left() > 0) say(count_text(left(), "cell") + " left: " + time_left());
  }

  Result<std::optional<CellResult>> run_cell(const GridCell& cell) const {
    say("== " + cell.name + ": " + cell.label);
    const fs::path home = options_.output / cell.name;
    const auto start = Clock::now();
    if (!cell.learn.empty()) {
      std::vector<std::string> arguments = cell.learn;
      // A row of a study is measured even where its patch would be caught.
      for (const std::string& more :
           {std::string("--output"), (home / "patch").string(), std::string("--run"),
            (home / "run").string(), std::string("--share"), (options_.output / "shared").string(),
            std::string("--force")}) {
        arguments.push_back(more);
      }
      LLMPATCH_TRY(
          run_subcommand(declare_learn, std::move(arguments), cell.name + " learn", cancel_));
    }
    const double learn_seconds = seconds_since(start);
    std::vector<std::string> arguments = cell.eval;
    for (const std::string& more : {std::string("--output"), (home / "eval").string(),
                                    std::string("--cache"), (options_.output / "answers").string(),
                                    std::string("--allow-unsigned"), std::string("--force")}) {
      arguments.push_back(more);
    }
    // What was learned may be published as it is: its figures go with it. An adapter has no card.
    if (!cell.learn.empty() && fs::exists(home / "patch" / kManifestFile)) {
      arguments.insert(arguments.end(), {"--card", (home / "patch").string()});
    }
    LLMPATCH_TRY(run_subcommand(declare_eval, std::move(arguments), cell.name + " eval", cancel_));
    const fs::path card = home / "eval" / "eval.json";
    LLMPATCH_ASSIGN(const std::string text, read_file(card, kMaxCardBytes, "evaluation"));
    LLMPATCH_ASSIGN(const Json json, parse_json(text, card.string()));
    LLMPATCH_ASSIGN(CellResult result, cell_result(grid_, cell, json));
    result.learn_seconds = learn_seconds;
    result.eval_seconds = seconds_since(start) - learn_seconds;
    std::error_code code;
    fs::create_directories(folder(), code);
    LLMPATCH_TRY(write_file_atomic(result_file(cell), to_text(result)));
    return std::optional(std::move(result));
  }

  Status write_table() const {
    std::error_code code;
    fs::create_directories(folder(), code);
    const std::string title = grid_.title.empty() ? "" : "# " + grid_.title + "\n\n";
    return write_file_atomic(folder() / "table.md", title + grid_table(grid_, results_));
  }

  const Options& options_;
  const CancelFlag& cancel_;
  Grid grid_;
  std::vector<std::optional<CellResult>> results_;  // of grid_.cells
};

}  // namespace

RunFn declare_ablate(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("file", options->file, "The grid: common options, cells, columns (JSON)")
      ->required();
  app.add_option("-o,--output", options->output,
                 "Folder for patches, runs and evaluations; cells share samples, pairs and answers")
      ->required();
  app.add_option("--results", options->results,
                 "Folder of one small JSON file a cell and table.md (default: results in the "
                 "output); a cell whose file is there is not run again");
  app.add_option("--only", options->only, "Run this cell alone, by name; repeatable")
      ->allow_extra_args(false);
  app.add_flag("--plan", options->plan, "Say what there is to do, and print the table so far");
  return [options](const CancelFlag& cancel) { return Study(*options, cancel).run(); };
}

}  // namespace llmpatch
