#include "study/grid.h"

#include <gtest/gtest.h>

namespace llmpatch {
namespace {

constexpr const char* kGrid = R"({
  "title": "Toxicity",
  "learn": {"model": "m.gguf", "prompts": ["a.jsonl", "b.jsonl"], "length": 50, "sft-greedy": true},
  "eval": {"model": "m.gguf", "suite": "toxicity"},
  "cells": [
    {"name": "rows-10", "label": "10 rows", "learn": {"length": 10, "sft-greedy": null}},
    {"name": "lora", "eval": {"patch": null, "lora": "{out}/adapter.gguf"}, "system": "lora"},
    {"name": "prompted", "learn": false, "eval": {"system": "Be kind."}, "system": "system-prompt"}
  ],
  "columns": [{"title": "EMT", "suite": "toxicity", "metric": "svm.max"},
              {"suite": "toxicity", "metric": "svm.max", "recovered": true},
              {"title": "rate", "suite": "toxicity", "metric": "svm.rate", "percent": true}]
})";

Grid grid() { return parse_grid(kGrid, "grid.json", "out").value(); }

TEST(Grid, ACellsOwnOptionsStandInPlaceOfTheCommonOnes) {
  const Grid read = grid();
  ASSERT_EQ(read.cells.size(), 3u);
  using Arguments = std::vector<std::string>;
  EXPECT_EQ(read.cells[0].learn, (Arguments{"--length", "10", "--model", "m.gguf", "--prompts",
                                            "a.jsonl", "--prompts", "b.jsonl"}));
  EXPECT_EQ(read.cells[0].eval, (Arguments{"--model", "m.gguf", "--patch", "out/rows-10/patch",
                                           "--suite", "toxicity"}));
  EXPECT_EQ(read.cells[0].label, "10 rows");
  EXPECT_EQ(read.cells[0].system, "patch");
  EXPECT_EQ(read.cells[1].learn, (Arguments{"--length", "50", "--model", "m.gguf", "--prompts",
                                            "a.jsonl", "--prompts", "b.jsonl", "--sft-greedy"}));
  EXPECT_EQ(read.cells[1].eval, (Arguments{"--lora", "out/lora/patch/adapter.gguf", "--model",
                                           "m.gguf", "--suite", "toxicity"}));
  EXPECT_EQ(read.cells[1].label, "lora");
  EXPECT_TRUE(read.cells[2].learn.empty());
  EXPECT_EQ(read.cells[2].eval,
            (Arguments{"--model", "m.gguf", "--suite", "toxicity", "--system", "Be kind."}));
}

TEST(Grid, ACellIsBoundToItsOptionsAndNotToItsLabel) {
  const auto key = [](std::string text, const std::string& what, const std::string& with) {
    text.replace(text.find(what), what.size(), with);
    return parse_grid(text, "grid.json", "out").value().cells[0].key;
  };
  EXPECT_EQ(key(kGrid, "10 rows", "ten rows"), grid().cells[0].key);
  EXPECT_NE(key(kGrid, "\"length\": 10", "\"length\": 11"), grid().cells[0].key);
  EXPECT_NE(key(kGrid, "b.jsonl", "c.jsonl"), grid().cells[0].key);
  EXPECT_NE(grid().cells[0].key, grid().cells[1].key);
}

TEST(Grid, NamesWhatIsWrong) {
  const auto message = [](const std::string& text) {
    const auto read = parse_grid(text, "grid.json", "out");
    return read.ok() ? "no error" : read.error().to_string();
  };
  const auto expect = [&](const std::string& text, const std::string& part) {
    EXPECT_NE(message(text).find(part), std::string::npos) << message(text);
  };
  expect("[]", "expected an object");
  expect(R"({"cells": [], "columns": []})", "cells: found 0");
  expect(R"({"cells": [{"name": "a"}]})", "columns");
  expect(R"({"cell": [], "columns": []})", "found the member 'cell', expected cells, columns");
  expect(R"({"cells": [{"name": "../a"}], "columns": []})", "cell 1: name: found '../a'");
  expect(R"({"cells": [{"name": "a"}, {"name": "a"}], "columns": []})", "a second time");
  expect(R"({"cells": [{"name": "a", "learn": true}], "columns": []})", "options or false");
  expect(R"({"cells": [{"name": "a", "learn": {"x": {"y": 1}}}], "columns": []})", "option 'x'");
  expect(R"({"cells": [{"name": "a"}], "columns": [{"suite": "t"}]})", "column 1");
}

constexpr const char* kCard = R"({
  "tool": "llmpatch 1", "seed": 3,
  "headline": [
    {"suite": "toxicity", "metric": "svm.max", "system": "base",
     "value": 0.4, "low": 0.3, "high": 0.5, "n": 200},
    {"suite": "toxicity", "metric": "svm.max", "system": "patch",
     "value": 0.25, "low": 0.2, "high": 0.3, "n": 200}],
  "suites": [{"name": "toxicity",
    "systems": {"base": {"svm.rate": {"value": 0.1, "low": 0.05, "high": 0.15, "n": 200}},
                "patch": {"svm.rate": {"value": 0.04, "low": 0.02, "high": 0.06, "n": 200},
                          "notes": ["x"]}},
    "recovered": {"svm.max": {"value": 0.75, "low": 0.5, "high": 1, "n": 200}}}]
})";

TEST(Grid, TheTableShowsTheFiguresOfFinishedCells) {
  const Grid read = grid();
  const auto result = cell_result(read, read.cells[0], Json::parse(kCard));
  ASSERT_TRUE(result.ok()) << result.error().to_string();
  EXPECT_EQ(grid_table(read, std::vector<std::optional<CellResult>>{*result, {}, {}}),
            "| | EMT | svm.max | rate |\n"
            "| --- | --- | --- | --- |\n"
            "| base model | 0.4 (0.3 to 0.5) | - | 10.0 % (5.0 to 15.0) |\n"
            "| 10 rows | 0.25 (0.2 to 0.3) | 75.0 % (50.0 to 100.0) | 4.0 % (2.0 to 6.0) |\n"
            "| lora | not run | not run | not run |\n"
            "| prompted | not run | not run | not run |\n");
}

TEST(Grid, AFinishedCellIsReadBackAsItWas) {
  const Grid read = grid();
  CellResult result = cell_result(read, read.cells[0], Json::parse(kCard)).value();
  result.learn_seconds = 12.5;
  result.eval_seconds = 3;
  const auto again = parse_cell_result(to_text(result), "rows-10.json");
  ASSERT_TRUE(again.ok()) << again.error().to_string() << to_text(result);
  EXPECT_EQ(again->cell, "rows-10");
  EXPECT_EQ(again->key, read.cells[0].key);
  EXPECT_EQ(again->figures, result.figures);
  EXPECT_EQ(again->figures.size(),
            5u);  // two of the headline, the rate of both, what was recovered
  EXPECT_EQ(again->about, result.about);
  EXPECT_EQ(again->learn_seconds, 12.5);
  EXPECT_EQ(again->eval_seconds, 3);
}

TEST(Grid, RefusesResultsThatAreNone) {
  const Grid read = grid();
  const std::string text = to_text(cell_result(read, read.cells[0], Json::parse(kCard)).value());
  const auto altered = [&](const std::string& what, const std::string& with) {
    std::string other = text;
    other.replace(other.find(what), what.size(), with);
    return parse_cell_result(other, "rows-10.json").ok();
  };
  EXPECT_TRUE(altered("toxicity", "toxicity"));
  EXPECT_FALSE(altered("llmpatch.cell/1", "llmpatch.cell/9"));
  EXPECT_FALSE(altered("\"suite\"", "\"sweet\""));
  EXPECT_FALSE(altered("\"value\":0.4", "\"value\":\"0.4\""));
  EXPECT_FALSE(parse_cell_result("{", "rows-10.json").ok());
  EXPECT_FALSE(cell_result(read, read.cells[0], Json::object()).ok());
}

}  // namespace
}  // namespace llmpatch
