// llmpatch activate: makes an installed version the one that its name stands for.
#include <memory>

#include "command.h"
#include "store_options.h"

namespace llmpatch {
namespace {

struct Options {
  std::string patch;
  StorePlace store;
  bool allow_expired = false, json = false;
};

Status run(const Options& options) {
  LLMPATCH_ASSIGN(const Reference reference, parse_reference(options.patch));
  LLMPATCH_ASSIGN(Store store, options.store.open(false));
  LLMPATCH_ASSIGN(const Change change, store.activate(reference, options.allow_expired));
  return report_change(change, "active", options.json);
}

}  // namespace

RunFn declare_activate(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("PATCH", options->patch,
                 "NAME for its newest version, NAME@VERSION or NAME@sha256:DIGEST")
      ->required();
  options->store.declare(app);
  app.add_flag("--allow-expired", options->allow_expired, "Activate a patch that has expired");
  app.add_flag("--json", options->json, "Print JSON");
  return [options](const CancelFlag&) { return run(*options); };
}

}  // namespace llmpatch
