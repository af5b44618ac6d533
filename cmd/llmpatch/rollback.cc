// llmpatch rollback: returns to the version of a patch that was active before.
#include <memory>

#include "command.h"
#include "store_options.h"

namespace llmpatch {
namespace {

struct Options {
  std::string name, version;
  StorePlace store;
  bool json = false;
};

Status run(const Options& options) {
  LLMPATCH_ASSIGN(const std::string name, parse_bare_name(options.name));
  if (!options.version.empty()) {
    LLMPATCH_TRY(parse_reference(name + "@" + options.version));
    if (options.version.starts_with("sha256:")) {
      return make_error(ErrorKind::kInvalidArgument, "store",
                        "--to: found a digest, expected a version such as 1.0.0");
    }
  }
  LLMPATCH_ASSIGN(Store store, options.store.open(false));
  LLMPATCH_ASSIGN(const Change change, store.rollback(name, options.version));
  return report_change(change, "active", options.json);
}

}  // namespace

RunFn declare_rollback(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("NAME", options->name, "Name of the patch")->required();
  app.add_option("--to", options->version, "Version that was active at any time, not just before");
  options->store.declare(app);
  app.add_flag("--json", options->json, "Print JSON");
  return [options](const CancelFlag&) { return run(*options); };
}

}  // namespace llmpatch
