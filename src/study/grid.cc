#include "study/grid.h"

#include <algorithm>
#include <cstdio>
#include <set>

#include "base/sha256.h"

namespace llmpatch {
namespace {

constexpr std::size_t kMaxCells = 1000;
constexpr std::size_t kMaxName = 48;
constexpr const char* kSchema = "llmpatch.cell/1";

Error wrong(std::string_view where, const std::string& message) {
  return make_error(ErrorKind::kCorrupt, "ablate", std::string(where) + ": " + message);
}

Status check_members(const Json& object, const std::set<std::string>& known,
                     const std::string& where) {
  for (const auto& [name, value] : object.items()) {
    if (!known.contains(name)) {
      std::string expected;
      for (const std::string& each : known) expected += (expected.empty() ? "" : ", ") + each;
      return wrong(where, "found the member '" + name + "', expected " + expected);
    }
  }
  return {};
}

// A member that may be missing.
Result<Json> object_or_empty(const Json& object, const char* key, const std::string& where) {
  if (!object.contains(key)) return Json::object();
  return json_object(object, key, where);
}

Result<std::string> string_or(const Json& object, const char* key, const std::string& fallback,
                              const std::string& where) {
  if (!object.contains(key)) return fallback;
  return json_string(object, key, where);
}

Result<bool> flag_or_false(const Json& object, const char* key, const std::string& where) {
  const auto found = object.find(key);
  if (found == object.end()) return false;
  if (!found->is_boolean()) return wrong(where, std::string(key) + ": expected true or false");
  return found->get<bool>();
}

std::string replaced(std::string text, std::string_view what, const std::string& with) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size())) {
    text.replace(at, what.size(), with);
  }
  return text;
}

Result<std::vector<std::string>> arguments(const Json& options, const std::string& patch,
                                           const std::string& where) {
  std::vector<std::string> arguments;
  for (const auto& [name, value] : options.items()) {
    const std::string option = "--" + name;
    const auto add = [&](const Json& one) -> Status {
      if (one.is_string()) {
        arguments.push_back(option);
        arguments.push_back(replaced(one.get<std::string>(), "{out}", patch));
      } else if (one.is_number()) {
        arguments.push_back(option);
        arguments.push_back(one.dump());
      } else if (one.is_boolean()) {
        if (one.get<bool>()) arguments.push_back(option);
      } else if (!one.is_null()) {
        return wrong(where, "option '" + name +
                                "': found another type, expected text, a number, "
                                "true or a list of these");
      }
      return {};
    };
    if (!value.is_array()) {
      LLMPATCH_TRY(add(value));
      continue;
    }
    for (const Json& one : value) LLMPATCH_TRY(add(one));
  }
  return arguments;
}

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxName &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
         });
}

Json joined(Json common, const Json& own) {
  common.update(own);
  return common;
}

Result<GridCell> parse_cell(const Json& value, const Json& learn, const Json& eval,
                            const std::filesystem::path& out, const std::string& where) {
  GridCell cell;
  if (!value.is_object()) return wrong(where, "found another type, expected an object");
  LLMPATCH_TRY(check_members(value, {"name", "label", "learn", "eval", "system"}, where));
  LLMPATCH_ASSIGN(cell.name, json_string(value, "name", where));
  if (!is_name(cell.name)) {
    return wrong(where, "name: found '" + cell.name + "', expected at most " +
                            std::to_string(kMaxName) + " of a-z, 0-9 and '-'");
  }
  LLMPATCH_ASSIGN(cell.label, string_or(value, "label", cell.name, where));
  LLMPATCH_ASSIGN(cell.system, string_or(value, "system", "patch", where));
  const bool learns = !value.contains("learn") || !value["learn"].is_boolean();
  Json learn_options = Json::object();
  if (learns) {
    LLMPATCH_ASSIGN(const Json own, object_or_empty(value, "learn", where));
    learn_options = joined(learn, own);
  } else if (value["learn"].get<bool>()) {
    return wrong(where, "learn: found true, expected options or false");
  }
  LLMPATCH_ASSIGN(const Json own_eval, object_or_empty(value, "eval", where));
  Json measured = eval;
  if (learns) measured["patch"] = "{out}";
  measured = joined(measured, own_eval);
  const std::string patch = (out / cell.name / "patch").string();
  LLMPATCH_ASSIGN(cell.learn, arguments(learn_options, patch, where));
  LLMPATCH_ASSIGN(cell.eval, arguments(measured, patch, where));
  cell.key = sha256_hex(
      json_line(Json{{"learn", learn_options}, {"eval", measured}, {"system", cell.system}}));
  return cell;
}

Result<GridColumn> parse_column(const Json& value, const std::string& where) {
  GridColumn column;
  if (!value.is_object()) return wrong(where, "found another type, expected an object");
  LLMPATCH_TRY(check_members(value, {"title", "suite", "metric", "recovered", "percent"}, where));
  LLMPATCH_ASSIGN(column.suite, json_string(value, "suite", where));
  LLMPATCH_ASSIGN(column.metric, json_string(value, "metric", where));
  LLMPATCH_ASSIGN(column.title, string_or(value, "title", column.metric, where));
  LLMPATCH_ASSIGN(column.recovered, flag_or_false(value, "recovered", where));
  LLMPATCH_ASSIGN(column.percent, flag_or_false(value, "percent", where));
  return column;
}

// An entry of CellResult::figures, or nothing.
const Json* find_figure(const Json& figures, const std::string& suite, const std::string& metric,
                        const std::string& system) {
  const auto found = std::find_if(figures.begin(), figures.end(), [&](const Json& figure) {
    return figure.value("suite", "") == suite && figure.value("metric", "") == metric &&
           figure.value("system", "") == system;
  });
  return found == figures.end() ? nullptr : &*found;
}

std::string figure_text(const Json* figure, const GridColumn& column) {
  if (figure == nullptr) return "-";
  const double scale = column.percent || column.recovered ? 100 : 1;
  const auto number = [&](const char* key) { return scale * figure->value(key, 0.0); };
  char text[96];
  const char* form = scale > 1 ? "%.1f %% (%.1f to %.1f)" : "%.3g (%.3g to %.3g)";
  std::snprintf(text, sizeof text, form, number("value"), number("low"), number("high"));
  return text;
}

// The system whose figures a column shows in a row.
std::string system_of(const GridColumn& column, const std::string& row) {
  return column.recovered ? "recovered" : row;
}

// Adds the figure of `column` from the suites of a card, where it is not among those taken already.
void add_column(const GridColumn& column, const Json& card, Json& figures) {
  if (!card.contains("suites") || !card["suites"].is_array()) return;
  for (const Json& suite : card["suites"]) {
    if (!suite.is_object() || suite.value("name", "") != column.suite) continue;
    const auto add = [&](const Json& figure, const std::string& system) {
      if (!figure.is_object() || !figure.contains("value")) return;
      if (find_figure(figures, column.suite, column.metric, system) != nullptr) return;
      figures.push_back({{"suite", column.suite},
                         {"metric", column.metric},
                         {"system", system},
                         {"value", figure["value"]},
                         {"low", figure.value("low", Json())},
                         {"high", figure.value("high", Json())},
                         {"n", figure.value("n", Json())}});
    };
    if (column.recovered) {
      const Json all = suite.value("recovered", Json::object());
      if (all.contains(column.metric)) add(all[column.metric], "recovered");
      continue;
    }
    const Json systems = suite.value("systems", Json::object());
    for (const auto& [system, values] : systems.items()) {
      if (values.is_object() && values.contains(column.metric)) add(values[column.metric], system);
    }
  }
}

}  // namespace

Result<Grid> parse_grid(std::string_view text, std::string_view where,
                        const std::filesystem::path& out) {
  const std::string file(where);
  LLMPATCH_ASSIGN(const Json all, parse_json(text, file));
  if (!all.is_object()) return wrong(file, "found another type, expected an object");
  LLMPATCH_TRY(check_members(all, {"title", "learn", "eval", "cells", "columns"}, file));
  Grid grid;
  LLMPATCH_ASSIGN(grid.title, string_or(all, "title", "", file));
  LLMPATCH_ASSIGN(const Json learn, object_or_empty(all, "learn", file));
  LLMPATCH_ASSIGN(const Json eval, object_or_empty(all, "eval", file));
  LLMPATCH_ASSIGN(const Json cells, json_array(all, "cells", file));
  LLMPATCH_ASSIGN(const Json columns, json_array(all, "columns", file));
  if (cells.empty() || cells.size() > kMaxCells) {
    return wrong(file, "cells: found " + std::to_string(cells.size()) + ", expected 1 to " +
                           std::to_string(kMaxCells));
  }
  std::set<std::string> names;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const std::string place = file + " cell " + std::to_string(i + 1);
    LLMPATCH_ASSIGN(GridCell cell, parse_cell(cells[i], learn, eval, out, place));
    if (!names.insert(cell.name).second) {
      return make_error(ErrorKind::kInvalidArgument, "ablate",
                        place + ": found the name '" + cell.name + "' a second time");
    }
    grid.cells.push_back(std::move(cell));
  }
  for (std::size_t i = 0; i < columns.size(); ++i) {
    LLMPATCH_ASSIGN(GridColumn column,
                    parse_column(columns[i], file + " column " + std::to_string(i + 1)));
    grid.columns.push_back(std::move(column));
  }
  return grid;
}

Result<CellResult> cell_result(const Grid& grid, const GridCell& cell, const Json& card) {
  LLMPATCH_ASSIGN(const Json headline, json_array(card, "headline", "eval.json"));
  CellResult result;
  result.cell = cell.name;
  result.key = cell.key;
  result.figures = headline;
  for (const GridColumn& column : grid.columns) add_column(column, card, result.figures);
  for (const char* member : {"tool", "model", "seed"}) {
    if (card.contains(member)) result.about[member] = card[member];
  }
  return result;
}

std::string to_text(const CellResult& result) {
  OrderedJson json{{"schema", kSchema},
                   {"cell", result.cell},
                   {"key", result.key},
                   {"about", OrderedJson(result.about)},
                   {"seconds", {{"learn", result.learn_seconds}, {"eval", result.eval_seconds}}}};
  // One figure a line: what changed is seen in a comparison of two versions.
  std::string text = json_pretty(json);
  text.erase(text.rfind('\n', text.size() - 2));
  text += ",\n  \"figures\": [";
  for (std::size_t i = 0; i < result.figures.size(); ++i) {
    text += (i == 0 ? "\n    " : ",\n    ") + json_line(result.figures[i]);
  }
  return text + "\n  ]\n}\n";
}

Result<CellResult> parse_cell_result(std::string_view text, std::string_view where) {
  CellResult result;
  LLMPATCH_ASSIGN(const Json json, parse_json(text, where));
  LLMPATCH_ASSIGN(const std::string schema, json_string(json, "schema", where));
  if (schema != kSchema) {
    return wrong(where, "schema: found '" + schema + "', expected '" + kSchema + "'");
  }
  LLMPATCH_ASSIGN(result.cell, json_string(json, "cell", where));
  LLMPATCH_ASSIGN(result.key, json_string(json, "key", where));
  LLMPATCH_ASSIGN(result.about, json_object(json, "about", where));
  LLMPATCH_ASSIGN(const Json seconds, json_object(json, "seconds", where));
  LLMPATCH_ASSIGN(result.learn_seconds, json_number(seconds, "learn", where));
  LLMPATCH_ASSIGN(result.eval_seconds, json_number(seconds, "eval", where));
  LLMPATCH_ASSIGN(result.figures, json_array(json, "figures", where));
  for (const Json& figure : result.figures) {
    LLMPATCH_TRY(json_string(figure, "suite", where));
    LLMPATCH_TRY(json_string(figure, "metric", where));
    LLMPATCH_TRY(json_string(figure, "system", where));
    for (const char* number : {"value", "low", "high"}) {
      LLMPATCH_TRY(json_number(figure, number, where));
    }
  }
  return result;
}

std::string grid_table(const Grid& grid, std::span<const std::optional<CellResult>> results) {
  std::string table = "| |";
  for (const GridColumn& column : grid.columns) table += " " + column.title + " |";
  table += "\n| --- |";
  for (std::size_t i = 0; i < grid.columns.size(); ++i) table += " --- |";
  table += "\n| base model |";
  for (const GridColumn& column : grid.columns) {
    const Json* found = nullptr;
    for (const auto& result : results) {
      if (found == nullptr && result && !column.recovered) {
        found = find_figure(result->figures, column.suite, column.metric, "base");
      }
    }
    table += " " + figure_text(found, column) + " |";
  }
  table += "\n";
  for (std::size_t i = 0; i < grid.cells.size(); ++i) {
    table += "| " + grid.cells[i].label + " |";
    for (const GridColumn& column : grid.columns) {
      table += " ";
      table += results[i]
                   ? figure_text(find_figure(results[i]->figures, column.suite, column.metric,
                                             system_of(column, grid.cells[i].system)),
                                 column)
                   : "not run";
      table += " |";
    }
    table += "\n";
  }
  return table;
}

}  // namespace llmpatch
