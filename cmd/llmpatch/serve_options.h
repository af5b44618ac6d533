// The options of `llmpatch serve`.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/result.h"
#include "option_file.h"
#include "patch_options.h"
#include "registry_options.h"
#include "run_options.h"
#include "runtime/serving_engine.h"
#include "serve/api_server.h"

namespace llmpatch {

struct CommandServeOptions {
  RunOptions run;
  PatchOptions patches;
  RegistryPlace registry;
  bool force = false, allow_unpatched = false, is_public = false, watch = false, json = false;
  bool audit_text = false;
  std::string host, model_name, cache_layout = "auto";
  std::vector<std::string> stacks;
  std::uint16_t port = 8080;
  std::filesystem::path api_keys, admin_key, audit_log, certificate, private_key, config;
  std::vector<std::string> audit_judges;
  std::filesystem::path data = "data";
  ServingOptions engine;
  int max_tokens = 0, max_body_mib = 4, max_connections = 1024;
  int request_seconds = 600, drain_seconds = 30, update_seconds = 0;

  void declare(CLI::App& app);
  // The base model's id. kInvalidArgument for one that cannot stand in a path and a model's id.
  Result<std::string> model_id() const;
  ServingOptions engine_options() const;
  // What the options say, checked against each other: kInvalidArgument. `cancel` must outlive the
  // server.
  Result<ApiServerOptions> server_options(const CancelFlag& cancel) const;
};

// The options of a server: those of the command line, then those of its --config.
struct ServeSetup {
  CommandServeOptions options;
  OptionValues values;  // of both

  // Reads the file anew each time. `given`: what the command line gave. Errors of
  // read_option_file and parse_options.
  static Result<ServeSetup> read(const OptionValues& given);
  // The names of those that differ in `next` and count once the server is started again.
  std::vector<std::string> changed_for_good(const ServeSetup& next) const;
};

}  // namespace llmpatch
