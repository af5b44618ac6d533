#include "eval/report_merge.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/join.h"

namespace llmpatch {
namespace {

class Merger {
 public:
  explicit Merger(std::vector<ReportInput> inputs) { report_.inputs = std::move(inputs); }

  Report merge() {
    name_systems();
    find_split_suites();
    for (std::size_t i = 0; i < report_.inputs.size(); ++i) add(i);
    warn_of_models();
    for (MergedSuite& merged : report_.suites) warn_of(merged);
    return std::move(report_);
  }

 private:
  // Labels under which different systems were measured.
  void name_systems() {
    std::map<std::string, std::set<std::string>> identities;
    for (const ReportInput& input : report_.inputs) {
      for (const ReportSystem& system : input.card.systems) {
        identities[system.label].insert(system.identity);
      }
    }
    for (const ReportInput& input : report_.inputs) {
      std::vector<std::size_t> places;
      for (ReportSystem system : input.card.systems) {  // its label is part of its identity
        const auto same =
            std::ranges::find(report_.systems, system.identity, &ReportSystem::identity);
        places.push_back(static_cast<std::size_t>(same - report_.systems.begin()));
        if (same != report_.systems.end()) continue;
        if (identities[system.label].size() > 1) system.label = input.name + "/" + system.label;
        report_.systems.push_back(std::move(system));
      }
      places_.push_back(std::move(places));
    }
  }

  void find_split_suites() {
    std::map<std::string, std::set<std::string>> identities;
    for (const ReportInput& input : report_.inputs) {
      for (const ReportSuite& suite : input.card.suites) {
        identities[suite.name].insert(suite.identity);
      }
    }
    for (const auto& [name, found] : identities) {
      if (found.size() > 1) split_.insert(name);
    }
  }

  void move_rows(std::vector<ReportMetric>& metrics, std::size_t input) const {
    for (ReportMetric& metric : metrics) {
      for (ReportRow& row : metric.rows) row.system = place(input, row.system);
    }
  }

  std::size_t place(std::size_t input, std::size_t system) const {
    return system == kNoSystem ? kNoSystem : places_[input][system];
  }

  // The suite with the indices of the report's systems.
  ReportSuite moved(ReportSuite suite, std::size_t input) const {
    for (auto* metrics :
         {&suite.metrics, &suite.categories, &suite.side_effects, &suite.recovered, &suite.bias}) {
      move_rows(*metrics, input);
    }
    for (ReportComparison& pair : suite.comparisons) {
      pair.a = place(input, pair.a);
      pair.b = place(input, pair.b);
    }
    for (ReportNote& note : suite.notes) note.system = place(input, note.system);
    return suite;
  }

  void add(std::size_t i) {
    ReportInput& input = report_.inputs[i];
    for (ReportSuite& suite : input.card.suites) {
      const std::string name = suite.name;
      MergedSuite& into = add_suite(moved(std::move(suite), i), input.name);
      auto prompts = input.responses.suites.find(name);
      if (prompts == input.responses.suites.end()) continue;
      add_prompts(into, std::move(prompts->second), i);
    }
    for (ReportExtra& extra : input.card.extras) {
      move_rows(extra.metrics, i);
      report_.extras.emplace_back(report_.inputs.size() > 1 ? input.name : "", std::move(extra));
    }
    input.responses.suites.clear();
  }

  MergedSuite& add_suite(ReportSuite suite, const std::string& name) {
    for (MergedSuite& known : report_.suites) {
      if (known.suite.name == suite.name && known.suite.identity == suite.identity) {
        join_suites(known, std::move(suite), name);
        return known;
      }
    }
    MergedSuite merged;
    merged.title = split_.contains(suite.name) ? suite.name + " (" + name + ")" : suite.name;
    merged.anchor = "suite-" + std::to_string(report_.suites.size() + 1);
    merged.suite = std::move(suite);
    if (split_.contains(merged.suite.name)) {
      report_.warnings.push_back({merged.title +
                                      ": evaluations ran a suite of this name with other prompts "
                                      "or settings, so their figures are not set side by side",
                                  merged.anchor});
    }
    report_.suites.push_back(std::move(merged));
    return report_.suites.back();
  }

  void join_suites(MergedSuite& into, ReportSuite from, const std::string& name) {
    bool differ = false;
    const auto join_metrics = [&](std::vector<ReportMetric>& known,
                                  std::vector<ReportMetric>& more) {
      for (ReportMetric& metric : more) {
        auto found = std::ranges::find(known, metric.name, &ReportMetric::name);
        if (found == known.end()) found = known.insert(known.end(), ReportMetric{metric.name, {}});
        for (ReportRow& row : metric.rows) {
          const ReportFigure* there = found->find(row.system);
          if (there == nullptr) {
            found->rows.push_back(row);
          } else {
            differ = differ || !(*there == row.figure);
          }
        }
      }
    };
    ReportSuite& suite = into.suite;
    join_metrics(suite.metrics, from.metrics);
    join_metrics(suite.categories, from.categories);
    join_metrics(suite.side_effects, from.side_effects);
    join_metrics(suite.recovered, from.recovered);
    join_metrics(suite.bias, from.bias);
    for (ReportComparison& pair : from.comparisons) {
      const bool known = std::ranges::any_of(suite.comparisons, [&](const ReportComparison& other) {
        return other.a == pair.a && other.b == pair.b && other.metric == pair.metric;
      });
      if (!known) suite.comparisons.push_back(std::move(pair));
    }
    for (ReportNote& note : from.notes) {
      if (std::ranges::find(suite.notes, note) == suite.notes.end()) {
        suite.notes.push_back(std::move(note));
      }
    }
    if (differ) {
      report_.warnings.push_back({into.title + ": " + name +
                                      " measured a system again and found other figures; the "
                                      "first evaluation's are shown",
                                  into.anchor});
    }
  }

  void add_prompts(MergedSuite& into, std::vector<ReportPrompt> prompts, std::size_t input) {
    std::map<std::string, std::size_t> known;
    for (std::size_t i = 0; i < into.prompts.size(); ++i) known[into.prompts[i].key()] = i;
    const ReportCard& card = report_.inputs[input].card;
    for (ReportPrompt& prompt : prompts) {
      const auto [found, is_new] = known.try_emplace(prompt.key(), into.prompts.size());
      if (is_new) {
        into.prompts.push_back(prompt);
        into.prompts.back().answers.clear();
      }
      ReportPrompt& target = into.prompts[found->second];
      for (ReportAnswer& answer : prompt.answers) {
        const std::size_t local = card.find_system(answer.label);
        if (local == kNoSystem) continue;  // a system that the card does not know
        answer.system = places_[input][local];
        if (std::ranges::find(target.answers, answer.system, &ReportAnswer::system) ==
            target.answers.end()) {
          target.answers.push_back(std::move(answer));
        }
      }
    }
  }

  void warn_of_models() {
    std::set<std::string> models;
    std::vector<std::string> names;
    for (const ReportInput& input : report_.inputs) {
      if (models.insert(input.card.model_sha256).second) names.push_back(input.card.model);
    }
    if (models.size() < 2) return;
    report_.warnings.push_back(
        {"The evaluations ran different model files: " + join(names, ", "), ""});
  }

  void warn_of(MergedSuite& merged) {
    const ReportSuite& suite = merged.suite;
    for (const ReportNote& note : suite.notes) {
      report_.warnings.push_back(
          {merged.title + ": " + report_.systems[note.system].label + ": " + note.text,
           merged.anchor});
    }
    std::map<std::size_t, std::size_t> most;  // prompts of any metric, by system
    for (const ReportMetric& metric : suite.metrics) {
      for (const ReportRow& row : metric.rows) {
        most[row.system] = std::max(most[row.system], row.figure.n);
      }
    }
    for (const auto& [system, n] : most) {
      if (n >= suite.n) continue;
      report_.warnings.push_back({merged.title + ": " + report_.systems[system].label +
                                      " was measured on " + std::to_string(n) + " of " +
                                      std::to_string(suite.n) + " prompts",
                                  merged.anchor});
    }
  }

  Report report_;
  std::vector<std::vector<std::size_t>> places_;  // by input: where its systems went
  std::set<std::string> split_;
};

}  // namespace

Report merge_reports(std::vector<ReportInput> inputs) { return Merger(std::move(inputs)).merge(); }

}  // namespace llmpatch
