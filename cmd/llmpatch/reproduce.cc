#include "reproduce.h"

#include <algorithm>
#include <sstream>

#include "base/file_digest.h"
#include "base/quote.h"
#include "eval/reproduce.h"
#include "judge/judge.h"
#include "patch/patch.h"
#include "runtime/adapter_record.h"
#include "terminal.h"

namespace llmpatch {
namespace {

Error not_given(const std::string& what, const std::string& name, const char* option) {
  return make_error(
      ErrorKind::kInvalidArgument, "eval",
      what + " " + quote(name) + ": found only its name in the card, expected it as " + option,
      std::string("add ") + option + " FILE");
}

Result<std::vector<Suite>> suites_of(const RecordedRun& run, const EvalOptions& options) {
  std::vector<Suite> suites;
  for (const std::string& name : run.suites) {
    const auto given = std::ranges::find(options.suites, name, &Suite::name);
    if (given != options.suites.end()) {
      suites.push_back(*given);
      continue;
    }
    const auto known = suite_names();
    if (std::ranges::find(known, name) == known.end()) return not_given("suite", name, "--suite");
    LLMPATCH_ASSIGN(Suite suite, load_suite(name, options.data));
    suites.push_back(std::move(suite));
  }
  return suites;
}

std::string departure_text(const Departure& departure) {
  std::ostringstream text;
  text << departure.metric << ": found " << departure.value << ", expected " << departure.low
       << " to " << departure.high;
  return text.str();
}

}  // namespace

Result<Json> card_of(const std::filesystem::path& path) {
  LLMPATCH_ASSIGN(const Patch patch, load_patch(path));
  if (patch.card) return *patch.card;
  return make_error(ErrorKind::kNotFound, "eval",
                    "reproduce " + path.string() + ": found no eval.json, expected a card");
}

Status apply_card(const Json& card, EvalOptions& options) {
  LLMPATCH_ASSIGN(const RecordedRun run, recorded_run(card));
  LLMPATCH_ASSIGN(options.suites, suites_of(run, options));
  const auto built_in = judge_names();
  for (const std::string& judge : run.judges) {
    if (std::ranges::find(options.judges, judge) != options.judges.end()) continue;
    if (std::ranges::find(built_in, judge) == built_in.end()) {
      return not_given("judge", judge, "--judge");
    }
    options.judges.push_back(judge);
  }
  options.compose = run.compose;
  options.system = run.system;
  options.format = run.format;
  options.system_limit = run.system_limit;
  options.side_effect_limit = run.side_effect_limit;
  options.compliance_limit = run.compliance_limit;
  options.seed = run.seed;
  options.engine.exact = run.exact;
  options.engine.threads = run.threads;
  options.timing_prompts = 0;
  options.examples = 0;
  return {};
}

Status check_card_matches(const Json& card, const std::filesystem::path& model,
                          const EvalOptions& options) {
  Json now{{"patches", Json::array()}, {"suites", Json::array()}};
  LLMPATCH_ASSIGN(now["model"]["sha256"], sha256_of_file(model, "base model"));
  if (!options.teacher.empty()) {
    LLMPATCH_ASSIGN(now["teacher"]["sha256"], sha256_of_file(options.teacher, "teacher"));
  }
  for (const EvalPatch& patch : options.patches) {
    now["patches"].push_back(Json{{"sha256", patch.digest}});
  }
  for (const SystemSpec& system : options.systems) {
    LLMPATCH_ASSIGN(const std::string digest,
                    sha256_of_file(system.model.empty() ? model : system.model, "model"));
    LLMPATCH_ASSIGN(const Json adapters, describe(system.adapters));
    now["systems"].push_back(Json(system_record(system, digest, adapters)));
  }
  for (const Suite& suite : options.suites) {
    LLMPATCH_ASSIGN(const std::string digest, sha256_of_file(suite.prompts, "prompts"));
    now["suites"].push_back(Json{{"name", suite.name}, {"prompts_sha256", digest}});
  }
  return check_same_run(card, now);
}

Result<Json> without_missing_systems(const Json& card, const EvalOptions& options) {
  LLMPATCH_ASSIGN(const RecordedRun run, recorded_run(card));
  std::vector<std::string> missing;
  for (const std::string& label : run.further) {
    if (std::ranges::find(options.systems, label, &SystemSpec::label) != options.systems.end()) {
      continue;
    }
    warn("system " + quote(label) +
         " of the card is not measured again: found none of that "
         "label, expected it in --systems");
    missing.push_back(label);
  }
  return without_systems(card, missing);
}

Status check_reproduced(const Json& card, const Json& again) {
  const std::vector<Departure> found = departures(card, again);
  if (found.empty()) return {};
  for (const Departure& departure : found) warn(departure_text(departure));
  const std::string others =
      found.size() == 1 ? "" : " (and " + std::to_string(found.size() - 1) + " more, above)";
  return make_error(ErrorKind::kUnmet, "eval",
                    "reproduce: " + departure_text(found.front()) + " as recorded" + others);
}

}  // namespace llmpatch
