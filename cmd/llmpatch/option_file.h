// Options of a command from a JSON file: {"max-queue": 64, "watch": true, "patch": ["a", "b"]}.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace llmpatch {

// What each option was given, by its name without dashes; a flag has "true" or "false".
using OptionValues = std::map<std::string, std::vector<std::string>>;

// What the command line gave, once it was parsed; not the defaults.
OptionValues given_options(const CLI::App& app);

// The members of the file are named as the options of `app`, each a text, a number, true or false
// (of flags), or a list of texts (of options that may be repeated). null counts as not given.
// kNotFound and kIo, and kInvalidArgument for what is no such file, an unknown member among them.
Result<OptionValues> read_option_file(const std::filesystem::path& path, const CLI::App& app);

// Parses them as if they had been given to `app`, which has parsed nothing yet. kInvalidArgument.
Status parse_options(const OptionValues& values, CLI::App& app);

}  // namespace llmpatch
