// llmpatch pack: one .llmpatch file of a patch directory.
#include <memory>

#include "command.h"
#include "output_file.h"
#include "patch/archive.h"
#include "terminal.h"

namespace llmpatch {
namespace {

struct Options {
  std::filesystem::path directory, output;
  bool force = false;
};

Status run(const Options& options) {
  const Overwrite overwrite = overwrite_if(options.force);
  LLMPATCH_TRY(check_output_file(options.output, overwrite));
  LLMPATCH_TRY(pack_patch(options.directory, options.output, overwrite));
  say("wrote " + options.output.string());
  return {};
}

}  // namespace

RunFn declare_pack(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("DIR", options->directory, "Patch directory")->required();
  app.add_option("-o,--output", options->output, "File to write, NAME-VERSION.llmpatch")
      ->required();
  app.add_flag("--force", options->force, "Replace an existing file");
  return [options](const CancelFlag&) { return run(*options); };
}

}  // namespace llmpatch
