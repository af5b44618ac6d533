// llmpatch pull: downloads a patch from an OCI registry, once its signature was verified.
#include <memory>

#include "base/json.h"
#include "command.h"
#include "registry_options.h"
#include "terminal.h"
#include "trust_options.h"

namespace llmpatch {
namespace {

struct Options {
  std::string reference;
  std::filesystem::path output;
  RegistryPlace registry;
  TrustOptions trust;
  bool force = false, json = false;
};

Status run(const Options& options, const CancelFlag& cancel) {
  LLMPATCH_ASSIGN(const OciReference reference, parse_oci_reference(options.reference));
  LLMPATCH_ASSIGN(const Trust trust, options.trust.trust());
  const Overwrite overwrite = options.force ? Overwrite::kYes : Overwrite::kNo;
  LLMPATCH_TRY(check_patch_output(options.output, overwrite));
  LLMPATCH_ASSIGN(const Pulled pulled, options.registry.pull(reference, cancel));
  LLMPATCH_ASSIGN(
      const TrustedPatch loaded,
      load_trusted_files(pulled.files, pulled.reference.to_string(), trust, options.trust.allow()));
  if (!loaded.warning.empty()) warn(loaded.warning);
  LLMPATCH_TRY(write_patch_directory(pulled.files, options.output, overwrite));
  if (options.json) {
    const Manifest& manifest = loaded.patch.manifest;
    return print(json_pretty(
        OrderedJson{{"patch", options.output.string()},
                    {"name", manifest.name},
                    {"version", manifest.version},
                    {"reference", pulled.reference.to_string()},
                    {"digest", pulled.reference.digest},
                    {"signer", loaded.signer ? OrderedJson(to_json(*loaded.signer)) : nullptr}}));
  }
  say(pulled.reference.to_string());
  return print(options.output.string() + "\n");
}

}  // namespace

RunFn declare_pull(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("REFERENCE", options->reference,
                 "host/repository:tag or host/repository@sha256:<digest>")
      ->required();
  app.add_option("-o,--output", options->output, "Patch directory to write")->required();
  options->registry.declare(app);
  options->trust.declare(app);
  options->trust.declare_allow_unsigned(app);
  app.add_flag("--force", options->force, "Replace an existing patch");
  app.add_flag("--json", options->json, "Print JSON");
  return [options](const CancelFlag& cancel) { return run(*options, cancel); };
}

}  // namespace llmpatch
