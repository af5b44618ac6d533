// llmpatch deactivate: leaves no version of a name active.
#include <memory>

#include "command.h"
#include "store_options.h"

namespace llmpatch {
namespace {

struct Options {
  std::string name;
  StorePlace store;
  bool json = false;
};

Status run(const Options& options) {
  LLMPATCH_ASSIGN(const std::string name, parse_bare_name(options.name));
  LLMPATCH_ASSIGN(Store store, options.store.open(false));
  LLMPATCH_ASSIGN(const Change change, store.deactivate(name));
  return report_change(change, change.changed ? "no longer active" : "not active", options.json);
}

}  // namespace

RunFn declare_deactivate(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("NAME", options->name, "Name of the patch")->required();
  options->store.declare(app);
  app.add_flag("--json", options->json, "Print JSON");
  return [options](const CancelFlag&) { return run(*options); };
}

}  // namespace llmpatch
