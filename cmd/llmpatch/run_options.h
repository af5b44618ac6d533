// --model, --threads, --kv: which model runs, and how.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <string>

#include "base/result.h"
#include "runtime/engine.h"
#include "runtime/model.h"

namespace llmpatch {

// The options every command that runs a model has.
struct RunOptions {
  std::filesystem::path model;
  int threads = 0;
  std::string kv = "f16";

  void declare(CLI::App& app);
  bool exact() const { return kv == "f32"; }
  // Errors of Model::load.
  Result<std::unique_ptr<Model>> load_model() const;
  // Engine options with threads and arithmetic filled in.
  EngineOptions engine_options() const;
};

}  // namespace llmpatch
