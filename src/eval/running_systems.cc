#include "eval/running_systems.h"

#include <algorithm>

#include "base/file_digest.h"
#include "eval/plan.h"
#include "runtime/adapter_record.h"

namespace llmpatch {

namespace {

// Described adapters without the names of their files.
Json without_names(Json adapters) {
  if (adapters.contains("lora")) {
    for (Json& lora : adapters["lora"]) lora.erase("file");
  }
  if (adapters.contains("control_vector")) adapters["control_vector"].erase("file");
  return adapters;
}

}  // namespace

Result<RunningSystems> RunningSystems::create(const Model& model, const EvalOptions& options) {
  RunningSystems running(model, options);
  running.digests_.emplace(model.path().string(), options.model_sha256);
  for (const System& system : systems_of(options)) {
    SystemSpec spec;
    spec.label = system.label();
    if (system == System::kSystemPrompt) spec.prompt = options.system;
    if (system == System::kTeacher) spec.model = options.teacher;
    if (system == System::kPatched) {
      spec.patches = options.patches;
      spec.compose = options.compose;
    }
    if (system.is_further()) {
      spec = *std::ranges::find(options.systems, system.label(), &SystemSpec::label);
    }
    LLMPATCH_TRY(running.add(std::move(spec)));
  }
  return running;
}

Status RunningSystems::add(SystemSpec spec) {
  if (spec.model.empty()) spec.model = model_.path();
  RunningSystem running{System(spec.label), spec.prompt, nullptr, nullptr, {}, {}, {}};
  LLMPATCH_ASSIGN(const auto found, model_of(spec.model));
  const auto& [model, digest] = found;
  running.model = model;
  LLMPATCH_ASSIGN(const Json adapters, describe(spec.adapters));
  LLMPATCH_ASSIGN(running.engine, engine_of(*model, spec.adapters, adapters));
  running.record = system_record(spec, digest, adapters);
  running.identity = {{"model", digest}, {"system", spec.prompt}};
  if (!adapters.empty()) running.identity["adapters"] = without_names(adapters);
  // One patch is the same in either way.
  if (spec.patches.size() > 1) running.stack.compose = spec.compose;
  for (const EvalPatch& patch : spec.patches) {
    const std::pair key(running.engine, patch.digest);
    auto prefix = prefixes_.find(key);
    if (prefix == prefixes_.end()) {
      LLMPATCH_ASSIGN(const PrefixId id, running.engine->add_prefix(patch.rows));
      prefix = prefixes_.emplace(key, id).first;
    }
    running.stack.prefixes.push_back(prefix->second);
    running.identity["patches"].push_back(patch.digest);
    running.identity["compose"] = compose_name(running.stack.compose);
  }
  systems_.push_back(std::move(running));
  return {};
}

Result<std::pair<const Model*, std::string>> RunningSystems::model_of(
    const std::filesystem::path& path) {
  const std::string place = path.string();
  auto digest = digests_.find(place);
  if (digest == digests_.end()) {
    LLMPATCH_ASSIGN(std::string computed, sha256_of_file(place, "model"));
    digest = digests_.emplace(place, std::move(computed)).first;
  }
  if (digest->second == options_.model_sha256) return std::pair(&model_, digest->second);
  std::unique_ptr<Model>& model = models_[digest->second];
  if (model == nullptr) {
    ModelOptions model_options;
    model_options.exact = options_.engine.exact;
    LLMPATCH_ASSIGN(model, Model::load(place, model_options));
  }
  return std::pair<const Model*, std::string>(model.get(), digest->second);
}

Result<Engine*> RunningSystems::engine_of(const Model& model, const Adapters& adapters,
                                          const Json& described) {
  std::unique_ptr<Engine>& engine = engines_[{&model, json_line(without_names(described))}];
  if (engine == nullptr) {
    EngineOptions engine_options = options_.engine;
    engine_options.adapters = adapters;
    LLMPATCH_ASSIGN(engine, Engine::create(model, engine_options));
  }
  return engine.get();
}

const RunningSystem& RunningSystems::of(const System& system) const {
  return *std::ranges::find(systems_, system, &RunningSystem::system);
}

std::uint64_t RunningSystems::generated_tokens() const {
  std::uint64_t tokens = 0;
  for (const auto& [unused, engine] : engines_) tokens += engine->stats().generated_tokens;
  return tokens;
}

}  // namespace llmpatch
