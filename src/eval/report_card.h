// What report.html shows of one eval.json. The file is hostile until it is read here: types, sizes
// and names are checked, and whatever the page does not know is left out. Internal to eval/.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace llmpatch {

// A number with its 95 % interval over n prompts; n = 0: there is none.
struct ReportFigure {
  double value = 0, low = 0, high = 0;
  std::size_t n = 0;
  std::optional<std::size_t> count;  // of shares of prompts
  std::optional<double> zero_upper;  // upper 95 % limit of a share of which nothing was seen

  bool operator==(const ReportFigure&) const = default;
};

inline constexpr std::size_t kNoSystem = static_cast<std::size_t>(-1);

struct ReportRow {
  std::size_t system = kNoSystem;  // index into the systems; kNoSystem: of none in particular
  ReportFigure figure;
};

struct ReportMetric {
  std::string name;  // as in eval.json
  std::vector<ReportRow> rows;

  const ReportFigure* find(std::size_t system) const;  // null when not measured
};

// Two systems on the prompts that both have.
struct ReportComparison {
  std::size_t a = kNoSystem, b = kNoSystem;
  std::string metric;
  std::size_t n = 0;
  std::optional<ReportFigure> difference, ratio;  // b - a, b / a
  std::optional<std::size_t> only_a, only_b;
  std::optional<double> p, p_holm;
};

struct ReportNote {
  std::size_t system = kNoSystem;
  std::string text;

  bool operator==(const ReportNote&) const = default;
};

struct ReportSuite {
  std::string name;
  std::string kind = "refusal";
  std::string expect;    // of kind refusal: "refuse" or "answer"
  std::string identity;  // prompts and settings: figures of suites that differ in it do not compare
  std::size_t n = 0;     // prompts
  double threshold = 0.5;
  std::vector<std::string> headline;  // metrics that stand for the suite
  std::vector<ReportMetric> metrics;
  std::string category_metric;           // what `categories` are shares of
  std::vector<ReportMetric> categories;  // by name
  std::vector<ReportMetric> side_effects;
  std::vector<ReportMetric> recovered;
  std::vector<ReportMetric> bias;  // the signed bias of a category, without intervals
  std::vector<ReportComparison> comparisons;
  std::vector<ReportNote> notes;

  const ReportMetric* find(const std::string& wanted) const;  // of `metrics`; null: not there
  // Harmful prompts, or answers that a judge was asked about: not shown unasked.
  bool harmful() const { return kind != "refusal" || expect != "answer"; }
};

// Figures beside the suites: compliance, time.
struct ReportExtra {
  std::string name;  // its key in eval.json
  std::string note;
  std::vector<ReportMetric> metrics;
};

struct ReportSystem {
  std::string label;
  std::string identity;  // digest of label and what was measured: model, patches, system prompt
  std::string what;      // the same for people
  bool base = false;     // the model alone
};

struct ReportCard {
  std::string title;  // the patches, or "base model"
  std::string model;  // file and digest
  std::string model_sha256;
  std::string command;
  std::vector<std::pair<std::string, std::string>> facts;  // how it was measured, for a table
  std::vector<ReportSystem> systems;
  std::vector<ReportSuite> suites;
  std::vector<ReportExtra> extras;

  const ReportSuite* find_suite(const std::string& name) const;
  std::size_t find_system(const std::string& label) const;  // kNoSystem when there is none
};

inline constexpr std::size_t kMaxReportSystems = 256;
inline constexpr std::size_t kMaxReportSuites = 256;
inline constexpr std::size_t kMaxReportMetrics = 4096;       // of a suite; its categories likewise
inline constexpr std::size_t kMaxReportComparisons = 20000;  // of a suite
inline constexpr std::size_t kMaxReportLabel = 64;           // characters

// Reads a card; `where` names it in messages. kCorrupt: not an eval.json, or a member of the wrong
// type, with its place ("suites[2].systems.base.refusal"); kUnsupported: another schema; kLimit:
// more systems, suites or metrics than a page can show.
Result<ReportCard> read_report_card(const Json& json, const std::string& where);

// Whether `label` may name a system: 1 to 64 printable characters of UTF-8.
bool is_system_label(std::string_view label);

}  // namespace llmpatch
