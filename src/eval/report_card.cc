#include "eval/report_card.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/join.h"
#include "base/quote.h"
#include "base/sha256.h"
#include "base/utf8.h"

namespace llmpatch {
namespace {

constexpr const char* kSchema = "llmpatch.eval/1";

// A member of an object, or null.
const Json* member(const Json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

// Texts and numbers as people read them; "" for anything else.
std::string plain(const Json* value) {
  if (value == nullptr) return "";
  if (value->is_string()) return value->get<std::string>();
  if (value->is_number() || value->is_boolean()) return json_line(*value);
  return "";
}

std::string text_at(const Json& object, const char* key) { return plain(member(object, key)); }

// A key as a step of a place in a message: quoted where it may hold anything.
std::string step(const std::string& key) {
  const bool simple = !key.empty() && std::ranges::all_of(key, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_-.@ ").find(c) != std::string_view::npos;
  });
  return "." + (simple && key.size() <= 64 ? key : quote(key));
}

std::string short_digest(const std::string& digest) { return digest.substr(0, 12); }

class CardReader {
 public:
  CardReader(const Json& json, std::string where) : json_(json), where_(std::move(where)) {}

  Result<ReportCard> read() {
    LLMPATCH_TRY(check_schema());
    LLMPATCH_TRY(read_systems());
    read_head();
    LLMPATCH_ASSIGN(const Json* suites, expect(json_, "suites", "", Json::value_t::array));
    for (std::size_t i = 0; i < suites->size(); ++i) {
      LLMPATCH_TRY(read_suite((*suites)[i], "suites[" + std::to_string(i) + "]"));
    }
    for (const char* key : {"compliance", "timing"}) LLMPATCH_TRY(read_extra(key));
    return std::move(card_);
  }

 private:
  Error wrong(const std::string& place, const std::string& message) const {
    return make_error(ErrorKind::kCorrupt, "report", where_ + ": " + place + ": " + message);
  }

  // A member that must be there and be of that type.
  Result<const Json*> expect(const Json& object, const char* key, const std::string& place,
                             Json::value_t type) const {
    const std::string path = place.empty() ? key : place + "." + key;
    const Json* value = member(object, key);
    if (value == nullptr) return wrong(path, "found none, expected " + name_of(type));
    if (value->type() != type) {
      return wrong(path,
                   std::string("found ") + value->type_name() + ", expected " + name_of(type));
    }
    return value;
  }

  static std::string name_of(Json::value_t type) {
    return type == Json::value_t::array    ? "a list"
           : type == Json::value_t::object ? "an object"
                                           : "text";
  }

  Status check_schema() const {
    if (!json_.is_object()) {
      return make_error(ErrorKind::kCorrupt, "report",
                        where_ + ": found " + json_.type_name() + ", expected an eval.json");
    }
    const std::string schema = text_at(json_, "schema");
    if (schema == kSchema) return {};
    return make_error(ErrorKind::kUnsupported, "report",
                      where_ + ": schema: found " + quote(schema) + ", expected " + kSchema,
                      "name the folder of `llmpatch eval`, or the eval.json in it");
  }

  // Labels in the order of their first appearance where the card keeps one.
  Status read_systems() {
    std::vector<std::string> labels;
    const auto add = [&](const std::string& label) {
      if (measured_.contains(label) && std::ranges::find(labels, label) == labels.end()) {
        labels.push_back(label);
      }
    };
    LLMPATCH_ASSIGN(const Json* suites, expect(json_, "suites", "", Json::value_t::array));
    if (suites->size() > kMaxReportSuites) {
      return make_error(ErrorKind::kLimit, "report",
                        where_ + ": suites: found " + std::to_string(suites->size()) +
                            ", expected at most " + std::to_string(kMaxReportSuites));
    }
    for (std::size_t i = 0; i < suites->size(); ++i) {
      const std::string place = "suites[" + std::to_string(i) + "]";
      LLMPATCH_ASSIGN(const Json* systems,
                      expect((*suites)[i], "systems", place, Json::value_t::object));
      for (const auto& [label, unused] : systems->items()) {
        if (!is_system_label(label)) {
          return wrong(place + ".systems", "found the name " + quote(label) +
                                               ", expected 1 to 64 printable characters");
        }
        measured_.insert(label);
      }
    }
    if (measured_.size() > kMaxReportSystems) {
      return make_error(ErrorKind::kLimit, "report",
                        where_ + ": systems: found " + std::to_string(measured_.size()) +
                            ", expected at most " + std::to_string(kMaxReportSystems));
    }
    if (const Json* list = member(json_, "systems"); list != nullptr && list->is_array()) {
      for (const Json& entry : *list) add(label_of(entry));
    }
    if (const Json* list = member(json_, "headline"); list != nullptr && list->is_array()) {
      for (const Json& entry : *list) add(text_at(entry, "system"));
    }
    for (const std::string& label : measured_) add(label);
    for (const std::string& label : labels) card_.systems.push_back(describe(label));
    return {};
  }

  static std::string label_of(const Json& entry) { return text_at(entry, "label"); }

  static std::string patches_text(const Json* patches, bool digests) {
    std::vector<std::string> parts;
    if (patches == nullptr || !patches->is_array()) return "";
    for (const Json& patch : *patches) {
      std::string part = text_at(patch, "name");
      if (const std::string version = text_at(patch, "version"); !version.empty()) {
        part += " " + version;
      }
      if (const std::string digest = text_at(patch, "sha256"); digests && !digest.empty()) {
        part += " (sha256 " + short_digest(digest) + ")";
      }
      parts.push_back(part);
    }
    return join(parts, " + ");
  }

  // The card's record of a system; null when it has none.
  const Json* record_of(const std::string& label) const {
    const Json* list = member(json_, "systems");
    if (list == nullptr || !list->is_array()) return nullptr;
    for (const Json& entry : *list) {
      if (label_of(entry) == label) return &entry;
    }
    return nullptr;
  }

  // What a system is: four have their own members in every card, the others a record.
  ReportSystem describe(const std::string& label) const {
    ReportSystem system;
    system.label = label;
    const Json* model = member(json_, "model");
    Json identity{{"label", label},
                  {"model", model == nullptr ? std::string() : text_at(*model, "sha256")}};
    if (label == "base") {
      system.base = true;
      system.what = "the model alone";
    } else if (label == "system-prompt") {
      identity["system_prompt"] = text_at(json_, "system_prompt");
      system.what = "the model under the system prompt: " + text_at(json_, "system_prompt");
    } else if (label == "teacher" && member(json_, "teacher") != nullptr) {
      const Json& teacher = *member(json_, "teacher");
      identity["teacher"] = teacher;
      system.what = "the reference model: " + summary(teacher);
    } else if (label == "patch") {
      const Json* patches = member(json_, "patches");
      identity["patches"] = patches == nullptr ? Json() : *patches;
      identity["compose"] = text_at(json_, "compose");
      system.what = "the model with " + patches_text(patches, true);
      if (patches != nullptr && patches->size() > 1) {
        system.what += ", " + text_at(json_, "compose");
      }
    } else if (const Json* record = record_of(label)) {
      identity["record"] = *record;
      system.what = summary(*record);
    } else {
      identity["card"] = where_;  // nobody says what it is: not the same as another card's
    }
    system.identity = sha256_hex(json_line(identity));
    return system;
  }

  // The members of a record in one line, without its label.
  static std::string summary(const Json& value) {
    if (value.is_string() && is_sha256_hex(value.get<std::string>())) {
      return short_digest(value.get<std::string>());
    }
    std::vector<std::string> parts;
    if (value.is_array()) {
      for (const Json& part : value) parts.push_back(summary(part));
      return join(parts, " + ");
    }
    if (!value.is_object()) return plain(&value);
    for (const auto& [key, part] : value.items()) {
      const std::string shown = summary(part);
      if (key == "label" || shown.empty()) continue;
      const bool plain_name = key == "file" || key == "name" || key == "version";
      std::string words = key;
      std::ranges::replace(words, '_', ' ');
      parts.push_back(plain_name ? shown : words + (part.is_structured() ? ": " : " ") + shown);
    }
    return join(parts, ", ");
  }

  void read_head() {
    card_.title = patches_text(member(json_, "patches"), false);
    if (card_.title.empty()) card_.title = "base model";
    card_.command = text_at(json_, "command");
    if (const Json* model = member(json_, "model")) {
      card_.model = text_at(*model, "file");
      card_.model_sha256 = text_at(*model, "sha256");
      add_fact("Model", card_.model + ", sha256 " + card_.model_sha256);
    }
    add_fact("Measured by", text_at(json_, "tool"));
    if (const Json* decoding = member(json_, "decoding"); decoding && decoding->is_object()) {
      std::vector<std::string> parts;
      for (const auto& [key, value] : decoding->items()) {
        if (const std::string shown = plain(&value); !shown.empty()) {
          parts.push_back(key + " " + shown);
        }
      }
      add_fact("Engine", join(parts, ", "));
    }
    add_fact("Seed", text_at(json_, "seed"));
    if (const Json* intervals = member(json_, "intervals")) {
      add_fact("Intervals", "95 %: shares of prompts " + text_at(*intervals, "proportions") +
                                ", the rest " + text_at(*intervals, "means") + ", " +
                                text_at(*intervals, "resamples") + " resamples");
      add_fact("p-values", text_at(*intervals, "family"));
    }
  }

  void add_fact(const std::string& name, const std::string& value) {
    if (!value.empty()) card_.facts.emplace_back(name, value);
  }

  Result<std::size_t> count_at(const Json& object, const char* key,
                               const std::string& place) const {
    const Json* value = member(object, key);
    const std::string path = place + "." + key;
    if (value == nullptr || !value->is_number_integer()) {
      return wrong(path, std::string("found ") + (value ? value->type_name() : "none") +
                             ", expected a whole number");
    }
    const auto number = value->get<std::int64_t>();
    if (number < 0) {
      return wrong(path, "found " + std::to_string(number) + ", expected 0 or more");
    }
    return static_cast<std::size_t>(number);
  }

  static bool is_figure(const Json& value) {
    return value.is_object() && value.contains("value") && value.contains("n");
  }

  // A figure; one of which a number is not finite (null in a file) has n = 0.
  Result<ReportFigure> figure(const Json& value, const std::string& place,
                              bool interval = true) const {
    if (!value.is_object()) {
      return wrong(place,
                   std::string("found ") + value.type_name() + ", expected {value, low, high, n}");
    }
    ReportFigure out;
    LLMPATCH_ASSIGN(out.n, count_at(value, "n", place));
    const std::pair<const char*, double*> numbers[] = {
        {"value", &out.value}, {"low", &out.low}, {"high", &out.high}};
    for (const auto& [key, into] : numbers) {
      const Json* number = member(value, key);
      if (number == nullptr && !interval && into != &out.value) continue;
      if (number != nullptr && number->is_null()) {
        out.n = 0;
        continue;
      }
      if (number == nullptr || !number->is_number()) {
        return wrong(place + "." + key, std::string("found ") +
                                            (number ? number->type_name() : "none") +
                                            ", expected a number");
      }
      *into = number->get<double>();
      if (!std::isfinite(*into)) out.n = 0;
    }
    if (!interval) out.low = out.high = out.value;
    if (out.n > 0 && out.low > out.high) {
      return wrong(place, "found low above high, expected an interval");
    }
    if (value.contains("count")) {
      LLMPATCH_ASSIGN(out.count, count_at(value, "count", place));
    }
    if (const Json* upper = member(value, "zero_event_upper"); upper && upper->is_number()) {
      out.zero_upper = upper->get<double>();
    }
    return out;
  }

  Status read_suite(const Json& json, const std::string& place) {
    ReportSuite suite;
    LLMPATCH_ASSIGN(const Json* name, expect(json, "name", place, Json::value_t::string));
    suite.name = name->get<std::string>();
    if (card_.find_suite(suite.name) != nullptr) {
      return wrong(place, "found the name " + quote(suite.name) + " twice");
    }
    LLMPATCH_ASSIGN(suite.n, count_at(json, "n", place));
    if (json.contains("kind")) suite.kind = text_at(json, "kind");
    suite.expect = text_at(json, "expect");
    if (const Json* threshold = member(json, "threshold"); threshold && threshold->is_number()) {
      suite.threshold = threshold->get<double>();
    }
    Json settings = json;  // all but what was measured
    for (const char* key : {"systems", "comparisons", "recovered", "recovered_by_system",
                            "side_effects", "signed_bias"}) {
      settings.erase(key);
    }
    suite.identity = sha256_hex(json_line(settings));
    const Json& systems = json["systems"];  // an object: read_systems
    for (const ReportSystem& system : card_.systems) {
      const Json* figures = member(systems, system.label.c_str());
      if (figures == nullptr) continue;
      LLMPATCH_TRY(read_figures(*figures, place + ".systems" + step(system.label),
                                card_.find_system(system.label), suite));
    }
    read_headline(suite);
    LLMPATCH_TRY(read_comparisons(json, place, suite));
    LLMPATCH_TRY(read_table(json, "side_effects", place, suite.side_effects));
    // With further systems the card has it of each, otherwise of the patch.
    const char* recovered =
        json.contains("recovered_by_system") ? "recovered_by_system" : "recovered";
    LLMPATCH_TRY(read_table(json, recovered, place, suite.recovered));
    LLMPATCH_TRY(read_bias(json, place, suite));
    card_.suites.push_back(std::move(suite));
    return {};
  }

  Status read_figures(const Json& figures, const std::string& place, std::size_t system,
                      ReportSuite& suite) const {
    if (!figures.is_object()) {
      return wrong(place, std::string("found ") + figures.type_name() + ", expected an object");
    }
    for (const auto& [key, value] : figures.items()) {
      const std::string path = place + step(key);
      if (key == "notes") {
        if (!value.is_array()) return wrong(path, "expected a list of texts");
        for (const Json& note : value) {
          if (!note.is_string()) return wrong(path, "expected a list of texts");
          suite.notes.push_back({system, note.get<std::string>()});
        }
      } else if (key == "by_category") {
        if (!value.is_object()) return wrong(path, "expected an object");
        for (const auto& [category, share] : value.items()) {
          LLMPATCH_ASSIGN(ReportFigure read, figure(share, path + step(category)));
          LLMPATCH_TRY(add_row(suite.categories, category, {system, read}, path));
        }
      } else if (is_figure(value)) {
        LLMPATCH_ASSIGN(ReportFigure read, figure(value, path));
        LLMPATCH_TRY(add_row(suite.metrics, key, {system, read}, path));
        if (suite.kind == "refusal" && (key == "refusal" || key == "over-refusal")) {
          suite.category_metric = key;
        }
      }
    }
    return {};
  }

  Status add_row(std::vector<ReportMetric>& metrics, const std::string& name, ReportRow row,
                 const std::string& place) const {
    auto found = std::ranges::find(metrics, name, &ReportMetric::name);
    if (found == metrics.end()) {
      if (metrics.size() == kMaxReportMetrics) {
        return make_error(ErrorKind::kLimit, "report",
                          where_ + ": " + place + ": found more than " +
                              std::to_string(kMaxReportMetrics) + " names, expected fewer");
      }
      found = metrics.insert(metrics.end(), ReportMetric{name, {}});
    }
    found->rows.push_back(row);
    return {};
  }

  void read_headline(ReportSuite& suite) const {
    if (const Json* list = member(json_, "headline"); list != nullptr && list->is_array()) {
      for (const Json& entry : *list) {
        const std::string metric = text_at(entry, "metric");
        if (text_at(entry, "suite") != suite.name || suite.find(metric) == nullptr) continue;
        if (std::ranges::find(suite.headline, metric) == suite.headline.end()) {
          suite.headline.push_back(metric);
        }
      }
    }
    if (suite.headline.empty()) {
      for (const ReportMetric& metric : suite.metrics) suite.headline.push_back(metric.name);
    }
  }

  Status read_comparisons(const Json& json, const std::string& suite_place,
                          ReportSuite& suite) const {
    if (!json.contains("comparisons")) return {};
    LLMPATCH_ASSIGN(const Json* list,
                    expect(json, "comparisons", suite_place, Json::value_t::array));
    if (list->size() > kMaxReportComparisons) {
      return make_error(ErrorKind::kLimit, "report",
                        where_ + ": " + suite_place + ".comparisons: found " +
                            std::to_string(list->size()) + ", expected at most " +
                            std::to_string(kMaxReportComparisons));
    }
    for (std::size_t i = 0; i < list->size(); ++i) {
      const Json& entry = (*list)[i];
      const std::string place = suite_place + ".comparisons[" + std::to_string(i) + "]";
      ReportComparison pair;
      pair.a = card_.find_system(text_at(entry, "a"));
      pair.b = card_.find_system(text_at(entry, "b"));
      if (pair.a == kNoSystem || pair.b == kNoSystem) {
        return wrong(place, "found a system that was not measured, expected two of the card's");
      }
      pair.metric = text_at(entry, "metric");
      if (pair.metric.empty()) pair.metric = suite.category_metric;
      LLMPATCH_ASSIGN(pair.n, count_at(entry, "n", place));
      if (entry.contains("difference")) {
        LLMPATCH_ASSIGN(pair.difference, figure(entry["difference"], place + ".difference"));
      }
      if (entry.contains("ratio")) {
        LLMPATCH_ASSIGN(pair.ratio, figure(entry["ratio"], place + ".ratio"));
      }
      if (entry.contains("only_a") || entry.contains("only_b")) {
        LLMPATCH_ASSIGN(pair.only_a, count_at(entry, "only_a", place));
        LLMPATCH_ASSIGN(pair.only_b, count_at(entry, "only_b", place));
      }
      const std::pair<const char*, std::optional<double>*> tests[] = {{"p", &pair.p},
                                                                      {"p_holm", &pair.p_holm}};
      for (const auto& [key, into] : tests) {
        if (const Json* value = member(entry, key); value && value->is_number()) {
          *into = value->get<double>();
        }
      }
      suite.comparisons.push_back(std::move(pair));
    }
    return {};
  }

  // A system named by `key` itself, or by its end ("perplexity_patch"); what is before it stays.
  std::size_t take_system(std::string& key) const {
    if (const std::size_t whole = card_.find_system(key); whole != kNoSystem) {
      key.clear();
      return whole;
    }
    for (std::size_t i = 0; i < card_.systems.size(); ++i) {
      const std::string end = "_" + card_.systems[i].label;
      if (key.size() <= end.size() || !key.ends_with(end)) continue;
      key.resize(key.size() - end.size());
      return i;
    }
    return kNoSystem;
  }

  // The figures of an object at any depth: the keys above a figure name its metric, but for one
  // that names a system. What names none is the patch's, where there is a system of that name.
  Status read_tree(const Json& node, const std::string& place, const std::string& metric,
                   std::size_t system, std::vector<ReportMetric>& out) const {
    if (is_figure(node)) {
      LLMPATCH_ASSIGN(ReportFigure read, figure(node, place));
      if (system == kNoSystem) system = card_.find_system("patch");
      return add_row(out, metric, {system, read}, place);
    }
    if (!node.is_object()) return {};
    for (const auto& [key, value] : node.items()) {
      std::string rest = key;
      const std::size_t named = take_system(rest);
      std::string name = metric;
      if (!rest.empty()) name += (name.empty() ? "" : " ") + rest;
      LLMPATCH_TRY(
          read_tree(value, place + step(key), name, named == kNoSystem ? system : named, out));
    }
    return {};
  }

  Status read_table(const Json& json, const char* key, const std::string& place,
                    std::vector<ReportMetric>& out) const {
    if (!json.contains(key)) return {};
    LLMPATCH_ASSIGN(const Json* table, expect(json, key, place, Json::value_t::object));
    return read_tree(*table, place + "." + key, "", kNoSystem, out);
  }

  Status read_bias(const Json& json, const std::string& place, ReportSuite& suite) const {
    if (!json.contains("signed_bias")) return {};
    LLMPATCH_ASSIGN(const Json* table, expect(json, "signed_bias", place, Json::value_t::object));
    for (const auto& [label, categories] : table->items()) {
      const std::size_t system = card_.find_system(label);
      if (system == kNoSystem || !categories.is_object()) continue;
      for (const auto& [category, value] : categories.items()) {
        LLMPATCH_ASSIGN(
            ReportFigure read,
            figure(value, place + ".signed_bias" + step(label) + step(category), false));
        LLMPATCH_TRY(add_row(suite.bias, category, {system, read}, place));
      }
    }
    return {};
  }

  Status read_extra(const char* key) {
    if (!json_.contains(key)) return {};
    LLMPATCH_ASSIGN(const Json* table, expect(json_, key, "", Json::value_t::object));
    ReportExtra extra;
    extra.name = key;
    std::vector<std::string> parts;
    for (const auto& [name, value] : table->items()) {
      if (const std::string shown = plain(&value); !shown.empty()) {
        parts.push_back(name + " " + shown);
      }
    }
    extra.note = join(parts, ", ");
    LLMPATCH_TRY(read_tree(*table, key, "", kNoSystem, extra.metrics));
    card_.extras.push_back(std::move(extra));
    return {};
  }

  const Json& json_;
  std::string where_;
  std::set<std::string> measured_;
  ReportCard card_;
};

}  // namespace

const ReportFigure* ReportMetric::find(std::size_t system) const {
  const auto found = std::ranges::find(rows, system, &ReportRow::system);
  return found == rows.end() ? nullptr : &found->figure;
}

const ReportMetric* ReportSuite::find(const std::string& wanted) const {
  const auto found = std::ranges::find(metrics, wanted, &ReportMetric::name);
  return found == metrics.end() ? nullptr : &*found;
}

const ReportSuite* ReportCard::find_suite(const std::string& name) const {
  const auto found = std::ranges::find(suites, name, &ReportSuite::name);
  return found == suites.end() ? nullptr : &*found;
}

std::size_t ReportCard::find_system(const std::string& label) const {
  const auto found = std::ranges::find(systems, label, &ReportSystem::label);
  return found == systems.end() ? kNoSystem : static_cast<std::size_t>(found - systems.begin());
}

bool is_system_label(std::string_view label) {
  if (label.empty() || !is_utf8(label) || count_characters(label) > kMaxReportLabel) return false;
  while (!label.empty()) {
    const char32_t c = take_code_point(label);
    if (c < 0x20 || (c >= 0x7F && c < 0xA0)) return false;
  }
  return true;
}

Result<ReportCard> read_report_card(const Json& json, const std::string& where) {
  return CardReader(json, where).read();
}

}  // namespace llmpatch
