// llmpatch remove: takes a version out of the store.
#include <memory>

#include "command.h"
#include "store_options.h"

namespace llmpatch {
namespace {

struct Options {
  std::string patch;
  StorePlace store;
  bool json = false;
};

Status run(const Options& options) {
  LLMPATCH_ASSIGN(const Reference reference, parse_reference(options.patch));
  LLMPATCH_ASSIGN(Store store, options.store.open(false));
  LLMPATCH_ASSIGN(const Change change, store.remove(reference));
  return report_change(change, "removed", options.json);
}

}  // namespace

RunFn declare_remove(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("PATCH", options->patch, "NAME@VERSION or NAME@sha256:DIGEST")->required();
  options->store.declare(app);
  app.add_flag("--json", options->json, "Print JSON");
  return [options](const CancelFlag&) { return run(*options); };
}

}  // namespace llmpatch
