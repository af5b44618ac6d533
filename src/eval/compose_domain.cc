#include "eval/compose_domain.h"

#include <algorithm>

namespace llmpatch {
namespace {

// What measures a risk. A patch whose risk or suite is not here has its metric named by --metric.
struct Domain {
  std::string_view risk, suite, metric;
};
constexpr Domain kDomains[] = {
    {"harmful-requests", "harmbench", kRefusedMetric},
    {"harmful-requests", "do-not-answer", kRefusedMetric},
    {"harmful-requests", "harmfulness", "refusal.flagged_gen@5"},
    {"toxicity", "toxicity", "toxicity-svm.expected_maximum@25"},
    {"gender-bias", "gender-bias", "gender.flagged_gen@5"},
};

// Other names for these risks.
struct Alias {
  std::string_view name, risk;
};
constexpr Alias kAliases[] = {
    {"harm", "harmful-requests"},
    {"harmful", "harmful-requests"},
    {"harmfulness", "harmful-requests"},
    {"refusal", "harmful-requests"},
    {"toxic", "toxicity"},
    {"toxic-language", "toxicity"},
    {"gender", "gender-bias"},
    {"bias", "gender-bias"},
};

std::string_view canonical(std::string_view risk) {
  const auto alias = std::ranges::find(kAliases, risk, &Alias::name);
  return alias == std::end(kAliases) ? risk : alias->risk;
}

}  // namespace

Result<std::pair<std::string, MetricName>> parse_patch_metric(std::string_view text) {
  const std::size_t equals = text.find('=');
  const std::size_t colon = equals == text.npos ? text.npos : text.find(':', equals + 1);
  const bool whole =
      colon != text.npos && equals > 0 && colon > equals + 1 && colon + 1 < text.size();
  if (!whole) {
    return make_error(ErrorKind::kInvalidArgument, "compose",
                      "metric: found '" + std::string(text) + "', expected PATCH=SUITE:METRIC",
                      "for example refuse=harmbench:refused");
  }
  return std::pair(std::string(text.substr(0, equals)),
                   MetricName{std::string(text.substr(equals + 1, colon - equals - 1)),
                              std::string(text.substr(colon + 1))});
}

std::optional<MetricName> domain_metric(std::string_view risk, std::span<const Suite> suites) {
  for (const Domain& domain : kDomains) {
    if (domain.risk != canonical(risk)) continue;
    if (std::ranges::find(suites, domain.suite, &Suite::name) == suites.end()) continue;
    return MetricName{std::string(domain.suite), std::string(domain.metric)};
  }
  return std::nullopt;
}

std::vector<std::string_view> domain_suites(std::string_view risk) {
  std::vector<std::string_view> suites;
  for (const Domain& domain : kDomains) {
    if (domain.risk == canonical(risk)) suites.push_back(domain.suite);
  }
  return suites;
}

bool higher_is_better(const Suite& suite, std::string_view metric) {
  if (metric == kRefusedMetric) return !measures_over_refusal(suite);
  return metric.starts_with("acc") || metric.starts_with("right-pronoun.");
}

bool measures_over_refusal(const Suite& suite) {
  return suite.kind == "refusal" && suite.expect == Expect::kAnswer;
}

}  // namespace llmpatch
