// llmpatch list: what is in the store.
#include <memory>
#include <optional>

#include "command.h"
#include "store_options.h"
#include "terminal.h"

namespace llmpatch {
namespace {

struct Options {
  StorePlace store;
  bool json = false;
};

// A patch, and whether it could be loaded now.
struct Listed {
  InstalledPatch patch;
  bool revoked = false, expired = false;
  std::optional<Error> refused;  // revoked, not let in by the policy, or damaged
};

Listed look_at(Store& store, const InstalledPatch& patch) {
  Listed listed{patch, false, store.is_expired(patch), {}};
  const Status allowed = store.check_revoked(patch.name, patch.version, patch.digest);
  if (!allowed.ok()) {
    listed.refused = allowed.error();
    listed.revoked = allowed.error().kind == ErrorKind::kDenied;
    return listed;
  }
  const auto loaded = store.load({patch.name, "", patch.digest}, {}, AllowUnsigned::kYes);
  if (!loaded.ok()) listed.refused = loaded.error();
  return listed;
}

// One patch on three lines, and a fourth where it cannot be loaded.
std::string to_text(const Listed& listed) {
  const InstalledPatch& patch = listed.patch;
  std::string text = (patch.active ? "* " : "  ") + patch.name + " " + patch.version;
  if (patch.active) text += " (active)";
  if (listed.revoked) text += ", REVOKED";
  if (patch.expires) text += (listed.expired ? ", EXPIRED at " : ", expires ") + *patch.expires;
  text += "\n    sha256:" + patch.digest;
  text += "\n    signer " + signer_text(patch) + "\n";
  if (listed.refused) text += "    refused: " + listed.refused->message + "\n";
  return text;
}

Json to_json(const Listed& listed) {
  Json json = to_json(listed.patch);
  json["revoked"] = listed.revoked;
  json["expired"] = listed.expired;
  json["refused"] = listed.refused ? Json(listed.refused->message) : Json();
  return json;
}

Status run(const Options& options) {
  LLMPATCH_ASSIGN(Store store, options.store.open(false));
  LLMPATCH_ASSIGN(const std::vector<InstalledPatch> patches, store.list());
  std::vector<Listed> all;
  for (const InstalledPatch& patch : patches) all.push_back(look_at(store, patch));
  if (options.json) {
    Json list = Json::array();
    for (const Listed& listed : all) list.push_back(to_json(listed));
    return print(
        json_pretty(Json{{"store", store.folder().string()}, {"patches", std::move(list)}}));
  }
  if (patches.empty()) say("no patches in " + store.folder().string());
  std::string text;
  for (const Listed& listed : all) text += to_text(listed);
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
