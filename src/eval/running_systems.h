// The systems of one evaluation, loaded and ready to answer. Internal to eval/.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "eval/evaluate.h"
#include "runtime/engine.h"
#include "runtime/model.h"

namespace llmpatch {

struct RunningSystem {
  System system;
  std::string prompt;  // system message before every conversation; empty: none
  const Model* model = nullptr;
  Engine* engine = nullptr;
  Stack stack;
  // What it is, whatever it is called: what its answers depend on beside prompt and decoding.
  Json identity;
  OrderedJson record;  // the same for the card, with names
};

// Systems of one model file share it, those without adapters of their own its engine as well, and
// equal patches of one engine their cells. Not thread-safe.
class RunningSystems {
 public:
  // Loads everything that `options` names; `model`, whose digest options.model_sha256 is, is the
  // one under evaluation and is borrowed. Errors of Model::load, Engine::create and add_prefix;
  // kMismatch also for a patch of another width.
  static Result<RunningSystems> create(const Model& model, const EvalOptions& options);

  const std::vector<RunningSystem>& all() const { return systems_; }  // in report order
  const RunningSystem& of(const System& system) const;                // one of systems_of()
  std::uint64_t generated_tokens() const;                             // by all engines

 private:
  RunningSystems(const Model& model, const EvalOptions& options)
      : model_(model), options_(options) {}
  Status add(SystemSpec spec);
  Result<std::pair<const Model*, std::string>> model_of(const std::filesystem::path& path);
  Result<Engine*> engine_of(const Model& model, const Adapters& adapters, const Json& described);

  const Model& model_;
  const EvalOptions& options_;
  std::map<std::string, std::string> digests_;            // of model files, by path
  std::map<std::string, std::unique_ptr<Model>> models_;  // by digest
  // By model and adapters; destroyed before the models.
  std::map<std::pair<const Model*, std::string>, std::unique_ptr<Engine>> engines_;
  std::map<std::pair<Engine*, std::string>, PrefixId> prefixes_;  // by engine and digest of rows
  std::vector<RunningSystem> systems_;
};

}  // namespace llmpatch
