// report.html: any number of systems side by side, from one evaluation or several; one
// self-contained page without any script or request to the outside.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace llmpatch {

// One evaluation as its folder holds it. Everything in it is hostile.
struct ReportSource {
  std::string name;               // of the folder: goes before labels that several share
  std::string where;              // of its files, for messages
  Json card;                      // eval.json
  std::string responses;          // text of responses.jsonl; empty: none
  std::vector<JsonLine> metrics;  // of the learning run's metrics.jsonl; empty: none
};

// Reads the evaluations at `paths`, each an eval.json or the folder of one, with responses.jsonl
// beside it and the first metrics.jsonl of that folder and its folder `run`, where there are any.
// Names are the folders', or the paths as given where two folders are called the same. kNotFound:
// no eval.json there; kInvalidArgument: the same file twice; kCorrupt, kLimit: not what it should
// be.
Result<std::vector<ReportSource>> read_report_sources(
    const std::vector<std::filesystem::path>& paths);

// The page: a plot of every metric with its intervals (lines where the models alone are), safety
// against utility, parts of suites (categories, templates, lengths), learning curves, answers with
// what judges said of them, harmful ones behind a click. Systems of one label that are not the same
// are told apart by the evaluation's name. The same sources give the same bytes. Errors of
// read_report_card() and read_responses(); kInvalidArgument without a source.
Result<std::string> report_html(std::span<const ReportSource> sources);

}  // namespace llmpatch
