// --lora, --control-vector: what changes the model itself.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "runtime/adapters.h"

namespace llmpatch {

struct AdapterOptions {
  std::vector<std::string> lora;  // FILE or FILE:SCALE
  std::string control_vector;     // the same; empty: none
  std::string layers;             // FIRST-LAST; empty: all

  void declare(CLI::App& app);
  // kInvalidArgument: layers that are no range, or without a control vector. Files are not read.
  Result<Adapters> adapters() const;
};

}  // namespace llmpatch
