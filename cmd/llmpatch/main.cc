// llmpatch: makes, checks and runs safety patches for language models.
#include <algorithm>
#include <exception>
#include <new>
#include <string>

#include "command.h"
#include "terminal.h"
#include "tool_version.h"

namespace llmpatch {
namespace {

Error usage_error(const std::string& message, const std::string& subcommand) {
  const std::string command = subcommand.empty() ? "llmpatch" : "llmpatch " + subcommand;
  return make_error(ErrorKind::kInvalidArgument, "command line", message,
                    command + " --help lists what there is");
}

bool is_subcommand(const std::string& name) {
  return std::any_of(subcommands().begin(), subcommands().end(),
                     [&](const Subcommand& command) { return name == command.name; });
}

std::string subcommand_names() {
  std::string names;
  for (const Subcommand& command : subcommands()) {
    names += (names.empty() ? "" : ", ") + std::string(command.name);
  }
  return names;
}

int run(int argc, char** argv) {
  CLI::App app{"Safety patches for language models: learned, measured, shipped, applied, undone.",
               "llmpatch"};
  app.require_subcommand(0, 1);  // that there is one is checked below, after unknown options
  app.set_version_flag("--version", version_text, "Print the versions of what is built in");
  std::vector<RunFn> runs;
  for (const Subcommand& command : subcommands()) {
    runs.push_back(command.declare(*app.add_subcommand(command.name, command.summary)));
  }

  // CLI11 would call it an unexpected argument.
  if (argc > 1 && argv[1][0] != '-' && !is_subcommand(argv[1])) {
    return report(usage_error(
        "subcommand: found '" + std::string(argv[1]) + "', expected " + subcommand_names(), ""));
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {  // --help or --version
      app.exit(error);
      const Status written = print("");
      return written.ok() ? 0 : report(written.error());
    }
    const auto chosen = app.get_subcommands();
    return report(usage_error(error.what(), chosen.empty() ? "" : chosen.front()->get_name()));
  }

  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (!app.got_subcommand(subcommands()[i].name)) continue;
    const Status status = runs[i](watch_interrupts());
    return status.ok() ? 0 : report(status.error());
  }
  return report(usage_error("subcommand: found none, expected " + subcommand_names(), ""));
}

}  // namespace
}  // namespace llmpatch

int main(int argc, char** argv) {
  using llmpatch::ErrorKind;
  // The libraries return errors; what can still be thrown is the standard library's.
  try {
    return llmpatch::run(argc, argv);
  } catch (const std::bad_alloc&) {
    return llmpatch::report(llmpatch::make_error(ErrorKind::kLimit, "llmpatch", "out of memory"));
  } catch (const std::exception& error) {
    return llmpatch::report(llmpatch::make_error(ErrorKind::kInternal, "llmpatch", error.what()));
  }
}
