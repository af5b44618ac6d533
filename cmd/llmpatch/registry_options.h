// How a command reaches a registry: credentials, roots, http on this machine.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>

#include "base/cancel.h"
#include "distribution/registry.h"
#include "distribution/transfer.h"

namespace llmpatch {

struct RegistryPlace {
  std::filesystem::path docker_config, certificates;
  bool plain_http = false;

  void declare(CLI::App& app);
  // That one option, for commands that name the others by what they are for.
  CLI::Option* declare_docker_config(CLI::App& app);
  // For a registry of any name; `cancel` must outlive them. kNotFound: a config file that was named
  // and is not there.
  Result<RegistryOptions> options(const CancelFlag& cancel) const;
  // Opens the repository of `reference`. Errors of Registry::open.
  Result<Registry> open(const OciReference& reference, RegistryAccess access,
                        const CancelFlag& cancel) const;
  // Downloads a patch, with a progress bar. Errors of open and pull_patch.
  Result<Pulled> pull(const OciReference& reference, const CancelFlag& cancel) const;
};

}  // namespace llmpatch
