// Several evaluations side by side: which of their systems and suites are the same. Internal to
// eval/.
#pragma once

#include <string>
#include <vector>

#include "eval/report_answers.h"
#include "eval/report_card.h"
#include "eval/report_curves.h"

namespace llmpatch {

// One evaluation as it was read.
struct ReportInput {
  std::string name;  // of its folder
  ReportCard card;
  ReportResponses responses;
  std::vector<LearningRun> learning;
};

// What a reader must know before the figures: with the place it is about ("suite-2"), or "".
struct ReportWarning {
  std::string text;
  std::string anchor;
};

struct MergedSuite {
  ReportSuite suite;  // its indices are those of Report::systems
  std::string title;
  std::string anchor;
  std::vector<ReportPrompt> prompts;
};

struct Report {
  std::vector<ReportSystem> systems;  // labels are unique
  std::vector<MergedSuite> suites;
  std::vector<std::pair<std::string, ReportExtra>> extras;  // with the evaluation, where several
  std::vector<ReportInput> inputs;                          // their systems and suites moved away
  std::vector<ReportWarning> warnings;
};

// Systems of one label that are the same (model, patches, prompt) are one; those that are not carry
// the evaluation's name before their label. Suites of one name with other prompts or settings stay
// apart, with a warning. A figure measured twice is shown once; when the two differ, the first is,
// with a warning.
Report merge_reports(std::vector<ReportInput> inputs);

}  // namespace llmpatch
