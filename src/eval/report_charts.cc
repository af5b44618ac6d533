#include "eval/report_charts.h"

#include <algorithm>
#include <map>

namespace llmpatch {
namespace {

// The step of training a line is about: "dpo 12".
std::string label_of(const Json& line) {
  std::string label;
  if (line.contains("stage") && line["stage"].is_string()) {
    label = line["stage"].get<std::string>() + " ";
  }
  if (line.contains("step") && line["step"].is_number_integer()) {
    label += std::to_string(line["step"].get<std::int64_t>());
  }
  return label;
}

std::string group_of(const std::string& metric) { return metric.substr(0, metric.find('/')); }

// A metric's values over all labels; nulls where it was not logged.
using Series = std::map<std::string, std::vector<OrderedJson>>;

}  // namespace

std::string_view system_label(const System& system) {
  if (system == System::kBase) return "base model";
  if (system == System::kSystemPrompt) return "safety system prompt";
  if (system == System::kTeacher) return "reference model";
  return system.label();
}

std::vector<Curve> learning_curves(const std::vector<JsonLine>& metrics) {
  std::vector<std::string> labels;
  std::map<std::string, std::size_t> place_of;
  for (const auto& line : metrics) {
    const std::string label = label_of(line.value);
    if (place_of.emplace(label, labels.size()).second) labels.push_back(label);
  }
  Series series;
  for (const auto& line : metrics) {
    const std::size_t place = place_of.at(label_of(line.value));
    for (const auto& [name, value] : line.value.items()) {
      if (name == "step" || !value.is_number()) continue;
      auto& values = series[name];
      values.resize(labels.size());
      values[place] = value.get<double>();
    }
  }
  std::vector<Curve> curves;
  for (auto& [name, values] : series) {
    const std::string title = group_of(name);
    auto curve = std::ranges::find(curves, title, &Curve::title);
    if (curve == curves.end()) {
      curves.push_back({title, {{"labels", labels}, {"series", OrderedJson::array()}}});
      curve = curves.end() - 1;
    }
    curve->json["series"].push_back(OrderedJson{{"name", name}, {"values", values}});
  }
  return curves;
}

OrderedJson chart_data(const EvalResult& result, const std::vector<Curve>& curves) {
  OrderedJson labels = OrderedJson::array(), systems = OrderedJson::array();
  for (const auto& suite : result.suites) labels.push_back(suite.suite.name);
  std::vector<System> drawn_systems{System::kBase, System::kSystemPrompt, System::kPatched,
                                    System::kTeacher};  // each has its colour
  for (const auto& system : result.options.systems) drawn_systems.emplace_back(system.label);
  for (std::size_t colour = 0; colour < drawn_systems.size(); ++colour) {
    OrderedJson value = OrderedJson::array(), low = value, high = value;
    bool measured = false;
    for (const auto& suite : result.suites) {
      const SystemResult* system = suite.find(drawn_systems[colour]);
      measured = measured || system != nullptr;
      const Proportion refused = system == nullptr ? Proportion{} : system->refused;
      const Interval interval = refused.interval();
      const auto percent = [&](double share) {
        return refused.n == 0 ? OrderedJson() : OrderedJson(100 * share);
      };
      value.push_back(percent(refused.value()));
      low.push_back(percent(interval.low));
      high.push_back(percent(interval.high));
    }
    if (!measured) continue;
    systems.push_back({{"name", system_label(drawn_systems[colour])},
                       {"colour", colour % 5},  // of so many
                       {"value", value},
                       {"low", low},
                       {"high", high}});
  }
  OrderedJson drawn = OrderedJson::array();
  for (const auto& curve : curves) drawn.push_back(curve.json);
  return {{"refusals", {{"labels", labels}, {"systems", systems}}}, {"curves", drawn}};
}

}  // namespace llmpatch
