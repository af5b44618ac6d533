// How a command reaches a registry: credentials, roots, http on this machine.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>

#include "base/cancel.h"
#include "distribution/registry.h"

namespace llmpatch {

struct RegistryPlace {
  std::filesystem::path docker_config, certificates;
  bool plain_http = false;

  void declare(CLI::App& app);
  // Opens the repository of `reference`. Errors of Registry::open.
  Result<Registry> open(const OciReference& reference, RegistryAccess access,
                        const CancelFlag& cancel) const;
};

}  // namespace llmpatch
