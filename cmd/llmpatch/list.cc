// llmpatch list: what is in the store.
#include <memory>

#include "command.h"
#include "store_options.h"
#include "terminal.h"

namespace llmpatch {
namespace {

struct Options {
  StorePlace store;
  bool json = false;
};

// One patch on three lines.
std::string to_text(const InstalledPatch& patch) {
  std::string text = (patch.active ? "* " : "  ") + patch.name + " " + patch.version;
  if (patch.active) text += " (active)";
  text += patch.expires ? ", expires " + *patch.expires : std::string();
  text += "\n    sha256:" + patch.digest;
  text += "\n    signer " + signer_text(patch) + "\n";
  return text;
}

Status run(const Options& options) {
  LLMPATCH_ASSIGN(Store store, options.store.open(false));
  LLMPATCH_ASSIGN(const std::vector<InstalledPatch> patches, store.list());
  if (options.json) {
    Json list = Json::array();
    for (const InstalledPatch& patch : patches) list.push_back(to_json(patch));
    return print(
        json_pretty(Json{{"store", store.folder().string()}, {"patches", std::move(list)}}));
  }
  if (patches.empty()) say("no patches in " + store.folder().string());
  std::string text;
  for (const InstalledPatch& patch : patches) text += to_text(patch);
  return print(text);
}

}  // namespace

RunFn declare_list(CLI::App& app) {
  auto options = std::make_shared<Options>();
  options->store.declare(app);
  app.add_flag("--json", options->json, "Print JSON");
  return [options](const CancelFlag&) { return run(*options); };
}

}  // namespace llmpatch
