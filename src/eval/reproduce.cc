#include "eval/reproduce.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/quote.h"

namespace llmpatch {
namespace {

constexpr const char* kWhere = "eval.json";

Result<std::vector<std::string>> texts(const Json& object, const char* key) {
  LLMPATCH_ASSIGN(const Json list, json_array(object, key, kWhere));
  std::vector<std::string> values;
  for (const Json& entry : list) {
    if (!entry.is_string()) {
      return make_error(
          ErrorKind::kCorrupt, "eval",
          std::string(kWhere) + ": " + key + ": found " + entry.type_name() + ", expected text");
    }
    values.push_back(entry.get<std::string>());
  }
  return values;
}

Result<std::size_t> count(const Json& object, const char* key) {
  LLMPATCH_ASSIGN(const std::int64_t value, json_integer(object, key, kWhere));
  if (value < 0) {
    return make_error(ErrorKind::kCorrupt, "eval",
                      std::string(kWhere) + ": " + key + ": found " + std::to_string(value) +
                          ", expected 0 or more");
  }
  return static_cast<std::size_t>(value);
}

// The suite of that name in a card; null when there is none.
const Json* find_suite(const Json& card, const std::string& name) {
  const auto suites = card.find("suites");
  if (suites == card.end() || !suites->is_array()) return nullptr;
  for (const Json& suite : *suites) {
    if (suite.is_object() && suite.value("name", Json()) == Json(name)) return &suite;
  }
  return nullptr;
}

bool is_figure(const Json& node) {
  const auto number = [&](const char* key) {
    const auto found = node.find(key);
    return found != node.end() && found->is_number();
  };
  return node.is_object() && number("value") && number("low") && number("high");
}

// Compares every figure below `recorded` with the one at the same place of `again`.
void compare(const Json& recorded, const Json& again, const std::string& path,
             std::vector<Departure>& out) {
  if (is_figure(recorded)) {
    const double low = recorded["low"].get<double>(), high = recorded["high"].get<double>();
    const double value =
        is_figure(again) ? again["value"].get<double>() : std::numeric_limits<double>::quiet_NaN();
    // Figures are written with six digits, and so are the ends of their intervals.
    const double slack = 1e-5 * std::max({std::fabs(low), std::fabs(high), 1e-9});
    if (!(value >= low - slack && value <= high + slack)) out.push_back({path, value, low, high});
    return;
  }
  if (!recorded.is_object()) return;
  for (const auto& [key, child] : recorded.items()) {
    const Json* other = again.is_object() && again.contains(key) ? &again[key] : nullptr;
    compare(child, other == nullptr ? Json() : *other, path.empty() ? key : path + ": " + key, out);
  }
}

Error other(const std::string& what, const Json& recorded, const Json& again) {
  return make_error(ErrorKind::kMismatch, "eval",
                    what + ": found " + quote(json_line(again)) + ", expected " +
                        quote(json_line(recorded)) + " as recorded");
}

Json digests_of(const Json& card) {
  Json digests = Json::array();
  const auto patches = card.find("patches");
  if (patches == card.end() || !patches->is_array()) return digests;
  for (const Json& patch : *patches) {
    digests.push_back(patch.is_object() ? patch.value("sha256", Json()) : Json());
  }
  return digests;
}

// The system of that label in a card's list, without what it is called; null when there is none.
Json system_of(const Json& card, const Json& label) {
  const auto systems = card.find("systems");
  if (systems == card.end() || !systems->is_array()) return {};
  for (Json system : *systems) {
    if (!system.is_object() || system.value("label", Json()) != label) continue;
    const auto drop_name = [](Json& file) {
      if (file.is_object()) file.erase("file");
    };
    if (system.contains("model")) drop_name(system["model"]);
    if (system.contains("control_vector")) drop_name(system["control_vector"]);
    if (system.contains("lora") && system["lora"].is_array()) {
      for (Json& lora : system["lora"]) drop_name(lora);
    }
    return system;
  }
  return {};
}

Json member(const Json& card, const char* object, const char* key) {
  const auto found = card.find(object);
  return found != card.end() && found->is_object() ? found->value(key, Json()) : Json();
}

}  // namespace

Result<RecordedRun> recorded_run(const Json& card) {
  LLMPATCH_ASSIGN(const std::string schema, json_string(card, "schema", kWhere));
  if (schema != "llmpatch.eval/1" || !card.contains("settings")) {
    return make_error(ErrorKind::kUnsupported, "eval",
                      std::string(kWhere) + ": found schema " + quote(schema) +
                          (card.contains("settings") ? "" : " without settings") +
                          ", expected llmpatch.eval/1 with the settings of its run",
                      "evaluate the patch anew with this version: eval --card PATCH");
  }
  RecordedRun run;
  LLMPATCH_ASSIGN(const Json settings, json_object(card, "settings", kWhere));
  LLMPATCH_ASSIGN(run.suites, texts(settings, "suites"));
  LLMPATCH_ASSIGN(run.judges, texts(settings, "judges"));
  LLMPATCH_ASSIGN(run.system_limit, count(settings, "system_limit"));
  LLMPATCH_ASSIGN(run.side_effect_limit, count(settings, "side_effects"));
  LLMPATCH_ASSIGN(run.compliance_limit, count(settings, "compliance"));
  if (settings.contains("format")) {
    LLMPATCH_ASSIGN(const std::string format, json_string(settings, "format", kWhere));
    LLMPATCH_ASSIGN(run.format, parse_prompt_format(format));
  }
  LLMPATCH_ASSIGN(const Json model, json_object(card, "model", kWhere));
  LLMPATCH_ASSIGN(run.model_sha256, json_string(model, "sha256", kWhere));
  if (card.contains("teacher")) {
    LLMPATCH_ASSIGN(const Json teacher, json_object(card, "teacher", kWhere));
    LLMPATCH_ASSIGN(run.teacher_sha256, json_string(teacher, "sha256", kWhere));
  }
  LLMPATCH_ASSIGN(const std::string compose, json_string(card, "compose", kWhere));
  LLMPATCH_ASSIGN(run.compose, parse_compose(compose));
  LLMPATCH_ASSIGN(run.system, json_string(card, "system_prompt", kWhere));
  LLMPATCH_ASSIGN(run.seed, count(card, "seed"));
  LLMPATCH_ASSIGN(const Json decoding, json_object(card, "decoding", kWhere));
  LLMPATCH_ASSIGN(const std::string kv, json_string(decoding, "kv", kWhere));
  run.exact = kv == "f32";
  LLMPATCH_ASSIGN(const std::size_t threads, count(decoding, "threads"));
  run.threads = static_cast<int>(std::min<std::size_t>(threads, 1024));
  if (card.contains("systems")) {
    LLMPATCH_ASSIGN(const Json systems, json_array(card, "systems", kWhere));
    for (const Json& system : systems) {
      LLMPATCH_ASSIGN(std::string label, json_string(system, "label", kWhere));
      if (System(label).is_further()) run.further.push_back(std::move(label));
    }
  }
  LLMPATCH_ASSIGN(const Json patches, json_array(card, "patches", kWhere));
  for (const Json& patch : patches) {
    LLMPATCH_ASSIGN(std::string digest, json_string(patch, "sha256", kWhere));
    run.patch_digests.push_back(std::move(digest));
  }
  return run;
}

Status check_same_run(const Json& recorded, const Json& again) {
  for (const char* model : {"model", "teacher"}) {
    const Json then = member(recorded, model, "sha256"), now = member(again, model, "sha256");
    if (then != now) return other(std::string(model) + " sha256", then, now);
  }
  if (digests_of(recorded) != digests_of(again)) {
    return other("patches", digests_of(recorded), digests_of(again));
  }
  LLMPATCH_ASSIGN(const RecordedRun run, recorded_run(recorded));
  for (const std::string& label : run.further) {
    const Json then = system_of(recorded, label), now = system_of(again, label);
    if (!now.is_null() && then != now) return other("system " + quote(label), then, now);
  }
  LLMPATCH_ASSIGN(const Json suites, json_array(recorded, "suites", kWhere));
  for (const Json& suite : suites) {
    LLMPATCH_ASSIGN(const std::string name, json_string(suite, "name", kWhere));
    const Json* now = find_suite(again, name);
    const Json digest = suite.value("prompts_sha256", Json());
    const Json found = now == nullptr ? Json() : now->value("prompts_sha256", Json());
    if (found != digest) return other("prompts of suite " + quote(name), digest, found);
  }
  return {};
}

Json without_systems(Json card, const std::vector<std::string>& labels) {
  const auto suites = card.find("suites");
  if (suites == card.end() || !suites->is_array()) return card;
  for (Json& suite : *suites) {
    if (!suite.is_object() || !suite.contains("systems") || !suite["systems"].is_object()) continue;
    for (const std::string& label : labels) suite["systems"].erase(label);
  }
  return card;
}

std::vector<Departure> departures(const Json& recorded, const Json& again) {
  std::vector<Departure> found;
  const auto suites = recorded.find("suites");
  if (suites != recorded.end() && suites->is_array()) {
    for (const Json& suite : *suites) {
      if (!suite.is_object()) continue;
      const Json label = suite.value("name", Json());
      const std::string name = label.is_string() ? label.get<std::string>() : "";
      const Json* now = find_suite(again, name);
      for (const char* part : {"systems", "side_effects"}) {
        if (!suite.contains(part)) continue;
        const bool measured = now != nullptr && now->contains(part);
        compare(suite[part], measured ? (*now)[part] : Json(), name, found);
      }
    }
  }
  if (recorded.contains("compliance")) {
    compare(recorded["compliance"], again.value("compliance", Json()), "compliance", found);
  }
  return found;
}

}  // namespace llmpatch
