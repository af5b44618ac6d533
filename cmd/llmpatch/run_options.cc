#include "run_options.h"

namespace llmpatch {

void RunOptions::declare(CLI::App& app) {
  app.add_option("--model", model, "Base model, a GGUF file")->required();
  app.add_option("--threads", threads, "Processor threads; 0 is one per core")
      ->capture_default_str()
      ->check(CLI::Range(0, 1024));
  app.add_option("--kv", kv, "Numbers in the cache: f16, or f32 for exact arithmetic throughout")
      ->capture_default_str()
      ->check(CLI::IsMember({"f16", "f32"}));
}

Result<std::unique_ptr<Model>> RunOptions::load_model() const {
  ModelOptions options;
  options.exact = exact();
  return Model::load(model, options);
}

EngineOptions RunOptions::engine_options() const {
  EngineOptions options;
  options.exact = exact();
  options.threads = threads;
  return options;
}

}  // namespace llmpatch
