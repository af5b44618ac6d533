// --suite, --expect, --data: what is measured.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "eval/suite.h"

namespace llmpatch {

// The options every command that measures suites has.
struct SuiteOptions {
  std::vector<std::string> names;  // of built-in suites, or files
  std::string expect;
  std::filesystem::path data = "data";

  // Returns the option of the suites, by its names, for what a command asks of it beyond.
  CLI::Option* declare(CLI::App& app, const std::string& option = "--suite");
  // All suites, in order. Errors of parse_expect() and load_suite().
  Result<std::vector<Suite>> load() const;
};

}  // namespace llmpatch
