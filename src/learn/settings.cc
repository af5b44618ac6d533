#include "learn/settings.h"

#include <utility>

#include "base/sha256.h"
#include "learn/method.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

// Where chosen answers come from, for the record.
std::string chosen_name(const LearnOptions& options) {
  if (!options.joint.empty()) return "as in the joint runs";
  if (!options.chosen_text.empty()) return "text:" + options.chosen_text;
  if (options.best_of < 2) return "teacher";
  return "best of " + std::to_string(options.best_of) +
         (asks_teacher(options) ? " of the teacher's" : " of the base model's");
}

// What stands beside the prefix: digests for a stage's record, names too for the manifest.
Json companion_settings(const LearnOptions& options, bool names) {
  Json patches = Json::array();
  for (const Companion& companion : options.companions) {
    patches.push_back(names ? Json{{"patch", companion.name}, {"sha256", companion.digest}}
                            : Json(companion.digest));
  }
  return {{"patches", patches},
          {"random", options.random_companions},
          {"rate", options.companion_rate}};
}

// Only where there are any: a run that began without them goes on.
void add_companions(const LearnOptions& options, Json& settings) {
  if (has_companions(options)) settings["companions"] = companion_settings(options, false);
}

// What is learned, apart from how.
Json shape_settings(const LearnOptions& options, const std::string& dtype) {
  if (options.method == Method::kPrefix) {
    return {{"length", options.length}, {"init_text", options.init_text}, {"dtype", dtype}};
  }
  return {{"method", name_of(options.method)},
          {"rank", options.lora.rank},
          {"alpha", options.lora.alpha},
          {"targets", options.lora.targets},
          {"dtype", dtype}};
}

// The teacher, for the record of the stage that asks it.
Json teacher_settings(const LearnOptions& options, const std::string& digest) {
  Json settings{{"system", options.teacher_system}};
  if (options.teacher_endpoint.given()) {
    settings["endpoint"] = options.teacher_endpoint.url;
    settings["endpoint_model"] = options.teacher_endpoint.model;
  } else {
    settings["teacher"] = digest;
  }
  return settings;
}

// The same for a manifest, which others read: not where the server is.
Json teacher_record(const LearnOptions& options, const std::string& digest) {
  if (!options.teacher_endpoint.given()) {
    return {{"model", digest}, {"system", options.teacher_system}};
  }
  return {{"endpoint_model", options.teacher_endpoint.model}, {"system", options.teacher_system}};
}

Json stage_settings(const StageOptions& stage) {
  Json settings{{"peak", stage.schedule.peak},
                {"warmup", stage.schedule.warmup},
                {"steps", stage.schedule.total},
                {"final_share", stage.schedule.final_share},
                {"pairs_per_step", stage.pairs_per_step},
                {"retained_per_step", stage.retained_per_step},
                {"retain_weight", stage.retain_weight},
                {"whole_retained_per_step", stage.whole_retained_per_step},
                {"whole_retain_weight", stage.whole_retain_weight},
                {"corrections_per_step", stage.corrections_per_step},
                {"unlikelihood_weight", stage.unlikelihood_weight},
                {"greedy", stage.greedy},
                {"averaging", stage.averaging},
                {"evaluate_every", stage.evaluate_every},
                {"patience", stage.patience}};
  if (stage.objective == Objective::kDpo) {
    settings["beta"] = stage.beta;
  } else {
    settings["first_token_weight"] = stage.first_token_weight;
    settings["answer_tokens"] = stage.answer_tokens;
    settings["easy_rate"] = stage.easy_rate;
  }
  return settings;
}

// The pairs of joint runs.
void add_runs(const std::vector<FinishedRun>& runs, std::vector<StageRecord>& stages) {
  StageRecord pairs{"pairs", {}, {{"runs", Json::array()}}, {}};
  for (const FinishedRun& run : runs) {
    // Some pairs may be left out, for what another run validates on.
    pairs.settings["runs"].push_back(
        {{"risk", run.risk},
         {"pairs", run.pairs_digest},
         {"prompts", digest_of(run.pairs.prompts, run.pairs.formats)}});
    pairs.files.push_back(file_of(run, "pairs.jsonl"));
  }
  stages.push_back(std::move(pairs));
}

// Makes the stage of retained texts one of joint runs: they are as long as in the runs, and what is
// there already is taken.
void take_answers(const std::vector<FinishedRun>& runs, StageRecord& retain) {
  Json tokens = Json::array(), given = Json::array();
  std::vector<std::string> files;
  for (const FinishedRun& run : runs) {
    tokens.push_back(run.retain_tokens);
    Sha256 hash;
    for (const auto* lines :
         {&run.retain.answers, &run.validate_retain.answers, &run.corrections}) {
      for (const std::string& line : *lines) hash.update(line + "\n");
      hash.update("\n");
    }
    given.push_back(hash.finish());
    for (const std::string& file : retain.files) files.push_back(file_of(run, file));
  }
  retain.settings["max_tokens"] = tokens;
  retain.settings["given"] = given;
  retain.files = files;
}

// The base model's figure of every risk.
StageRecord baseline_stage(const LearnOptions& options, const std::vector<FinishedRun>& runs,
                           const std::string& model_digest) {
  Json risks = Json::array();
  for (const FinishedRun& run : runs) {
    risks.push_back({{"risk", run.risk},
                     {"validate", digest_of(run.validate.prompts, run.validate.formats)},
                     {"judge", run.judge_identity},
                     {"tokens", run.validate_tokens},
                     {"samples", run.validate_samples}});
  }
  return {"baseline",
          {},
          {{"model", model_digest}, {"risks", risks}, {"seed", options.seed}},
          {"baseline.json"}};
}

}  // namespace

// Many small steps: on SmolLM2-135M (one seed) 320 steps on 16 examples came about as far as 130 on
// 34 in the same time, with less divergence from the base model.
LearnOptions::LearnOptions() {
  manifest.version = "1.0.0";
  manifest.risk = "unspecified";
  manifest.license = "Apache-2.0";
  const LearningRates rates = default_rates(method);
  sft_stage.objective = Objective::kSft;
  sft_stage.schedule = {.peak = rates.sft, .warmup = 8, .total = 480, .final_share = 0.02};
  sft_stage.pairs_per_step = 3;
  sft_stage.retained_per_step = 5;
  dpo_stage.objective = Objective::kDpo;
  dpo_stage.schedule = {.peak = rates.dpo, .warmup = 4, .total = 50, .final_share = 0.1};
  dpo_stage.pairs_per_step = 6;
  dpo_stage.retained_per_step = 10;
  dpo_stage.beta = 0.1;
  sft_stage.retain_weight = 0.5;
  dpo_stage.retain_weight = 0.25;
  sft_stage.evaluate_every = dpo_stage.evaluate_every = 240;
}

const char* name_of(Reference reference) {
  switch (reference) {
    case Reference::kTeacher:
      return "teacher";
    case Reference::kBase:
      return "base";
    case Reference::kSft:
      return "sft";
  }
  return "";
}

bool has_teacher(const LearnOptions& options) {
  return !options.teacher_system.empty() || !options.teacher_model.empty() ||
         options.teacher_endpoint.given();
}

bool has_companions(const LearnOptions& options) {
  return !options.companions.empty() || options.random_companions;
}

bool makes_corrections(const LearnOptions& options) {
  return (options.sft && options.sft_stage.corrections_per_step > 0) ||
         (options.dpo && options.dpo_stage.corrections_per_step > 0);
}

bool answers_corrections(const LearnOptions& options) {
  return (options.sft && options.sft_stage.corrections_per_step > 0 &&
          options.sft_stage.unlikelihood_weight <= 0) ||
         (options.dpo && options.dpo_stage.corrections_per_step > 0);
}

bool keeps_whole_answers(const LearnOptions& options) {
  return (options.sft && options.sft_stage.whole_retained_per_step > 0) ||
         (options.dpo && options.dpo_stage.whole_retained_per_step > 0);
}

bool makes_pairs(const LearnOptions& options) {
  return options.pairs.empty() && options.joint.empty();
}

bool asks_teacher(const LearnOptions& options) {
  return makes_pairs(options) && options.chosen_text.empty() && has_teacher(options);
}

int samples_of(const LearnOptions& options) {
  return options.best_of > 1 ? options.best_of : options.samples;
}

Sampling nucleus_sampling(const LearnOptions& options) {
  return {.temperature = 1, .top_p = 0.9F, .seed = options.seed};
}

EngineOptions engine_options(const LearnOptions& options) {
  EngineOptions engine;
  engine.threads = options.threads;
  return engine;
}

std::vector<StageRecord> plan_stages(const LearnOptions& options, const LearnData& data,
                                     const std::string& model_digest,
                                     const std::string& teacher_digest, const std::string& dtype,
                                     const std::string& judge) {
  std::vector<StageRecord> stages;
  const std::string prompts = digest_of(data.prompts, data.prompt_formats);
  if (!data.runs.empty()) {
    add_runs(data.runs, stages);
  } else if (options.pairs.empty()) {
    stages.push_back({"samples",
                      {},
                      {{"model", model_digest},
                       {"prompts", prompts},
                       {"samples", samples_of(options)},
                       {"max_tokens", options.rejected_tokens},
                       {"seed", options.seed}},
                      {"samples.jsonl"}});
    if (asks_teacher(options)) {
      Json settings = teacher_settings(options, teacher_digest);
      settings.update({{"prompts", prompts},
                       {"samples", samples_of(options)},
                       {"max_tokens", options.chosen_tokens},
                       {"seed", options.seed}});
      stages.push_back({"teacher", {}, std::move(settings), {"teacher.jsonl"}});
    }
    std::vector<std::string> inputs{"samples"};
    if (asks_teacher(options)) inputs.emplace_back("teacher");
    stages.push_back({"pairs",
                      inputs,
                      {{"judge", judge},
                       {"chosen_text", options.chosen_text},
                       {"best_of", options.best_of},
                       {"margin", options.margin},
                       {"max_chosen_score", options.max_chosen_score}},
                      {"pairs.jsonl"}});
  } else {
    Sha256 hash;  // the answers count too
    for (const Prompt& prompt : data.prompts) hash.update(json_line(prompt.fields));
    stages.push_back({"pairs", {}, {{"given", hash.finish()}}, {"pairs.jsonl"}});
  }
  StageRecord retain{
      "retain",
      {},
      {{"model", model_digest},
       {"prompts", digest_of(data.retain, data.retain_formats)},
       {"validation", digest_of(data.validate_retain, data.validate_retain_formats)},
       {"max_tokens", options.retain_tokens},
       {"whole_texts", keeps_whole_answers(options) ? options.whole_texts : 0},
       {"whole_tokens", keeps_whole_answers(options) ? options.whole_tokens : 0},
       {"corrections", makes_corrections(options)},
       {"correction_answers", answers_corrections(options)},
       {"seed", options.seed}},
      {"retain.jsonl", "corrections.jsonl", "retain-validation.jsonl", "retain-whole.jsonl"}};
  if (!data.runs.empty()) take_answers(data.runs, retain);
  stages.push_back(std::move(retain));
  std::vector<std::string> before{"pairs", "retain"};
  if (!data.runs.empty()) {
    stages.push_back(baseline_stage(options, data.runs, model_digest));
    before.emplace_back("baseline");
  }
  Json rows{{"seed", options.seed},
            {"model", model_digest},
            {"unwanted", options.unwanted},
            {"validate", digest_of(data.validate, data.validate_formats)},
            {"validate_tokens", options.validate_tokens},
            {"divergence_limit", options.divergence_limit}};
  if (options.sft || options.dpo) rows.update(shape_settings(options, dtype));
  if (options.sft) {
    Json settings = stage_settings(options.sft_stage);
    settings.update(rows);
    add_companions(options, settings);
    stages.push_back({"sft", before, settings, {"sft.state"}});
    before.emplace_back("sft");
    if (options.over_refusal > 0) {
      stages.push_back(
          {"threshold", {"sft"}, {{"over_refusal", options.over_refusal}}, {"threshold.state"}});
      before.emplace_back("threshold");
    }
  }
  if (options.dpo) {
    std::vector<std::string> inputs{"pairs"};
    if (options.reference == Reference::kSft) {
      inputs.emplace_back(options.over_refusal > 0 ? "threshold" : "sft");
    }
    if (options.dpo_stage.corrections_per_step > 0) inputs.emplace_back("retain");
    stages.push_back({"reference",
                      inputs,
                      {{"reference", name_of(*options.reference)},
                       {"model", model_digest},
                       {"teacher", teacher_digest},
                       {"system", options.teacher_system},
                       {"dtype", dtype},
                       {"tokens", options.dpo_tokens},
                       {"steps", options.dpo_stage.schedule.total},
                       {"pairs_per_step", options.dpo_stage.pairs_per_step},
                       {"corrections_per_step", options.dpo_stage.corrections_per_step},
                       {"seed", options.seed}},
                      {"reference.jsonl"}});
    before.emplace_back("reference");
    Json settings = stage_settings(options.dpo_stage);
    settings.update(rows);
    add_companions(options, settings);
    stages.push_back({"dpo", before, settings, {"dpo.state"}});
  }
  return stages;
}

FinishedRun run_record(const LearnOptions& options, const LearnData& data, const BaseIdentity& base,
                       const std::string& judge) {
  FinishedRun record;
  record.patch = options.manifest.name + "@" + options.manifest.version;
  record.risk = options.manifest.risk;
  record.base = base.file;
  record.base_name = base.name;
  // A judge's file is found from wherever the joint run is started.
  record.judge =
      options.judge.ends_with(".json") ? fs::absolute(options.judge).string() : options.judge;
  record.judge_identity = judge;
  record.validate_tokens = options.validate_tokens;
  record.validate_samples = options.validate_samples;
  record.retain_tokens = options.retain_tokens;
  record.retain = {{data.retain, data.retain_formats}, {}};
  record.validate = {data.validate, data.validate_formats};
  record.validate_retain = {{data.validate_retain, data.validate_retain_formats}, {}};
  return record;
}

Json learned_record(const LearnOptions& options, const LearnData& data,
                    const std::string& teacher_digest, const std::string& dtype,
                    const std::string& judge) {
  Json files = Json::array();
  const auto add = [&](const std::vector<fs::path>& paths, const char* role) {
    for (const auto& path : paths)
      files.push_back({{"role", role}, {"file", path.filename().string()}});
  };
  add(options.prompts, "prompts");
  add(options.pairs, "pairs");
  add(options.retain, "retain");
  add(options.validate, "validation");
  add(options.validate_retain, "benign validation");
  Json record{{"method", options.sft && options.dpo ? "sft+dpo"
                         : options.sft              ? "sft"
                                                    : "dpo"},
              {"judge", makes_pairs(options) ? Json(judge) : Json()},
              {"teacher", teacher_record(options, teacher_digest)},
              {"chosen", chosen_name(options)},
              {"reference", options.dpo ? Json(name_of(*options.reference)) : Json()},
              {"unwanted", options.unwanted},
              {"data",
               {{"files", files},
                {"prompts",
                 {{"count", data.prompts.size()},
                  {"sha256", digest_of(data.prompts, data.prompt_formats)}}},
                {"retain",
                 {{"count", data.retain.size()},
                  {"sha256", digest_of(data.retain, data.retain_formats)}}}}},
              {"seed", options.seed},
              {"tool", options.tool}};
  if (!data.runs.empty()) {
    Json risks = Json::array(), runs = Json::array();
    for (const FinishedRun& run : data.runs) {
      risks.push_back(run.risk);
      runs.push_back({{"risk", run.risk},
                      {"patch", run.patch},
                      {"judge", run.judge_identity},
                      {"pairs", run.pairs.prompts.size()},
                      {"pairs_sha256", run.pairs_digest},
                      {"retained", run.retain.prompts.size()}});
    }
    record["risks"] = risks;
    record["joint"] = runs;
  }
  if (options.method != Method::kSteering) {
    record[options.method == Method::kPrefix ? "rows" : name_of(options.method)] =
        shape_settings(options, dtype);
  }
  if (options.sft) record["sft"] = stage_settings(options.sft_stage);
  if (has_companions(options)) record["companions"] = companion_settings(options, true);
  if (options.over_refusal > 0) record["over_refusal"] = options.over_refusal;
  if (options.dpo) {
    record["dpo"] = stage_settings(options.dpo_stage);
    record["dpo"]["tokens"] = options.dpo_tokens;
  }
  return record;
}

}  // namespace llmpatch
