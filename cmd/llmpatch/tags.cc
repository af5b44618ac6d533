// llmpatch tags: which patches a repository of a registry holds.
#include <memory>

#include "base/json.h"
#include "command.h"
#include "distribution/transfer.h"
#include "registry_options.h"
#include "terminal.h"

namespace llmpatch {
namespace {

struct Options {
  std::string reference;
  RegistryPlace registry;
  bool json = false;
};

Status run(const Options& options, const CancelFlag& cancel) {
  LLMPATCH_ASSIGN(const OciReference reference, parse_oci_reference(options.reference));
  if (!reference.wanted().empty()) {
    return make_error(ErrorKind::kInvalidArgument, "tags",
                      options.reference + ": found a tag or digest, expected host/repository");
  }
  LLMPATCH_ASSIGN(Registry registry,
                  options.registry.open(reference, RegistryAccess::kPull, cancel));
  LLMPATCH_ASSIGN(const auto tags, patch_tags(registry));
  if (options.json) {
    return print(json_pretty(OrderedJson{{"repository", reference.to_string()}, {"tags", tags}}));
  }
  std::string text;
  for (const std::string& tag : tags) text += tag + "\n";
  return print(text);
}

}  // namespace

RunFn declare_tags(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("REPOSITORY", options->reference, "host/repository")->required();
  options->registry.declare(app);
  app.add_flag("--json", options->json, "Print JSON");
  return [options](const CancelFlag& cancel) { return run(*options, cancel); };
}

}  // namespace llmpatch
