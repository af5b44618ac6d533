// llmpatch unpack: the patch directory in a .llmpatch file.
#include <memory>

#include "command.h"
#include "output_file.h"
#include "patch/archive.h"
#include "terminal.h"

namespace llmpatch {
namespace {

struct Options {
  std::filesystem::path file, output;
  bool force = false;
};

Status run(const Options& options) {
  LLMPATCH_TRY(unpack_patch(options.file, options.output, overwrite_if(options.force)));
  say("wrote " + options.output.string());
  return {};
}

}  // namespace

RunFn declare_unpack(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("FILE", options->file, "A .llmpatch file")->required();
  app.add_option("-o,--output", options->output, "Patch directory to make")->required();
  app.add_flag("--force", options->force, "Replace an existing patch directory");
  return [options](const CancelFlag&) { return run(*options); };
}

}  // namespace llmpatch
