// Which metric tells whether a patch still does what it was made for: its domain. Pure functions,
// thread-safe.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "eval/suite.h"

namespace llmpatch {

// The metric of suites of kind "refusal": the share of prompts whose answer refuses.
inline constexpr std::string_view kRefusedMetric = "refused";

// A metric of one suite, as eval.json names both.
struct MetricName {
  std::string suite, metric;

  std::string text() const { return suite + ":" + metric; }
  bool operator==(const MetricName&) const = default;
};

// "PATCH=SUITE:METRIC", as --metric has it; the metric may hold colons. kInvalidArgument.
Result<std::pair<std::string, MetricName>> parse_patch_metric(std::string_view text);

// The metric of one of `suites` that measures the risk of a manifest; nothing for a risk that the
// table of compose_domain.cc does not know, or whose suites are not among them. Of several it is
// the table's first.
std::optional<MetricName> domain_metric(std::string_view risk, std::span<const Suite> suites);
// Names of the suites that measure `risk`, for messages; none for an unknown one.
std::vector<std::string_view> domain_suites(std::string_view risk);

// Whether more of `metric` is better: refusals of a suite that expects them, accuracy, right use.
// Less is better of everything else, since judges flag what should not be.
bool higher_is_better(const Suite& suite, std::string_view metric);

// Whether refusals of `suite` are wrong: a suite of kind "refusal" of prompts to be answered.
bool measures_over_refusal(const Suite& suite);

}  // namespace llmpatch
