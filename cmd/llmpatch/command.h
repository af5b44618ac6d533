// What main and the subcommands agree on. A new subcommand is one file that defines its declare
// function, one line here and one line in main.cc's table.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "base/cancel.h"
#include "base/result.h"

namespace llmpatch {

// Runs a subcommand whose options were parsed. An error becomes the message on stderr and the exit
// code; data goes to stdout, talk to stderr.
using RunFn = std::function<Status(const CancelFlag& cancel)>;

// Each declares its options on `app` and returns what to run once they are parsed.
RunFn declare_chat(CLI::App& app);
RunFn declare_doctor(CLI::App& app);
RunFn declare_eval(CLI::App& app);
RunFn declare_generate(CLI::App& app);
RunFn declare_inspect(CLI::App& app);
RunFn declare_learn(CLI::App& app);
RunFn declare_pack(CLI::App& app);
RunFn declare_unpack(CLI::App& app);

}  // namespace llmpatch
