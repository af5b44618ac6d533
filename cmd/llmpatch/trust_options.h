// --key, --certificate-chain, --trust: by whom a patch must be signed. --allow-unsigned: or not.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "trust/load.h"
#include "trust/trust.h"

namespace llmpatch {

// The options of every command that checks a signature.
struct TrustOptions {
  std::vector<std::filesystem::path> keys, certificates;
  std::filesystem::path policy;
  bool allow_unsigned = false;

  void declare(CLI::App& app);
  // For commands that load a patch, besides.
  void declare_allow_unsigned(CLI::App& app);

  // What the options name, read; empty when they name nothing. kInvalidArgument:
  // --certificate-chain beside a policy, which names certificates itself; kUnverifiable: a file
  // that cannot be read or is none.
  Result<Trust> trust() const;
  AllowUnsigned allow() const { return allow_unsigned ? AllowUnsigned::kYes : AllowUnsigned::kNo; }
};

// A signer as every command's JSON shows one; members that a bare key has not are null.
Json to_json(const Signer& signer);

}  // namespace llmpatch
