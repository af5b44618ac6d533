// A grid of learning runs and their measurements, described in one file: ablations and baselines.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace llmpatch {

// One learning run and what is measured on it.
struct GridCell {
  std::string name;                // of its files: a-z, 0-9, '-', at most 48
  std::string label;               // of its row in the table; the name where none is given
  std::vector<std::string> learn;  // arguments of `llmpatch learn`; empty: nothing is learned
  std::vector<std::string> eval;   // arguments of `llmpatch eval`
  std::string system;              // the system of its evaluation that the row shows ("patch")
  std::string key;  // a digest of all of these but the label: what a finished cell is bound to
};

// A column of the table: one figure of a cell's evaluation.
struct GridColumn {
  std::string title, suite, metric;
  bool recovered = false;  // the share of the reference's improvement, of that metric
  bool percent = false;
};

struct Grid {
  std::string title;
  std::vector<GridCell> cells;
  std::vector<GridColumn> columns;
};

// Reads a grid (docs/ablations.md). Its `learn` and `eval` are options by their long names without
// dashes: text or number for a value, true for a flag, a list for an option given several times;
// null or false takes one away that stood in the common part. "{out}" in a value of a cell's `eval`
// stands for `out` / the cell's name / "patch", what it learned. kCorrupt names the member that is
// missing, unknown or wrong; kInvalidArgument for two cells of one name.
Result<Grid> parse_grid(std::string_view text, std::string_view where,
                        const std::filesystem::path& out);

// What is kept of a finished cell.
struct CellResult {
  std::string cell, key;
  double learn_seconds = 0, eval_seconds = 0;
  Json figures = Json::array();  // {suite, metric, system, value, low, high, n}
  Json about = Json::object();   // tool, model, seed: where the figures come from
};

// The figures of `card` (an eval.json) that the grid's columns and its headline name. kCorrupt
// where it is none.
Result<CellResult> cell_result(const Grid& grid, const GridCell& cell, const Json& card);
std::string to_text(const CellResult& result);
Result<CellResult> parse_cell_result(std::string_view text, std::string_view where);

// A Markdown table: the base model, then a row for every cell, "-" where it has no such figure and
// "not run" where `results` has no entry for it. `results` are in the order of the cells.
std::string grid_table(const Grid& grid, std::span<const std::optional<CellResult>> results);

}  // namespace llmpatch
