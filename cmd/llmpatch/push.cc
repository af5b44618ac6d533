// llmpatch push: uploads a patch to an OCI registry.
#include <memory>

#include "base/json.h"
#include "command.h"
#include "distribution/transfer.h"
#include "patch/patch.h"
#include "progress_bar.h"
#include "registry_options.h"
#include "terminal.h"

namespace llmpatch {
namespace {

struct Options {
  std::filesystem::path patch;
  std::string reference;
  RegistryPlace registry;
  bool force = false, json = false;
};

Status run(const Options& options, const CancelFlag& cancel) {
  LLMPATCH_ASSIGN(const OciReference reference, parse_oci_reference(options.reference));
  LLMPATCH_ASSIGN(const PatchFiles files, read_patch_files(options.patch));
  LLMPATCH_ASSIGN(Registry registry,
                  options.registry.open(reference, RegistryAccess::kPush, cancel));
  ProgressBar bar("pushing", "files");
  LLMPATCH_ASSIGN(const Pushed pushed,
                  push_patch(files, reference, registry,
                             options.force ? Overwrite::kYes : Overwrite::kNo, bar.callback()));
  bar.clear();
  if (!pushed.is_signed)
    warn("the patch is not signed: whoever pulls it must say --allow-unsigned");
  if (options.json) {
    return print(json_pretty(OrderedJson{{"reference", pushed.reference.to_string()},
                                         {"digest", pushed.reference.digest},
                                         {"signed", pushed.is_signed},
                                         {"changed", pushed.changed}}));
  }
  if (!pushed.changed) say("it was there already");
  return print(pushed.reference.to_string() + "\n");
}

}  // namespace

RunFn declare_push(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("PATCH", options->patch, "Patch directory or .llmpatch file")->required();
  app.add_option("REFERENCE", options->reference, "host/repository:tag")->required();
  options->registry.declare(app);
  app.add_flag("--force", options->force, "Move a tag that names another patch");
  app.add_flag("--json", options->json, "Print JSON");
  return [options](const CancelFlag& cancel) { return run(*options, cancel); };
}

}  // namespace llmpatch
