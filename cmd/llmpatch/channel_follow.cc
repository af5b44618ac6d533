// llmpatch channel subscribe, unsubscribe, list: the operator's side. llmpatch update does the
// rest.
#include <memory>

#include "base/file.h"
#include "base/join.h"
#include "channel.h"
#include "channel_place.h"
#include "distribution/channel_source.h"
#include "http/url.h"
#include "store_options.h"
#include "terminal.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string place;
  std::vector<std::string> mirrors, names;
  fs::path root;
  std::string on_revoke = "refuse";
  StorePlace store;
  bool force = false, json = false;
};

Result<OnRevoke> parse_on_revoke(const std::string& text) {
  if (text == "refuse") return OnRevoke::kRefuse;
  if (text == "unpatched") return OnRevoke::kUnpatched;
  return make_error(ErrorKind::kInvalidArgument, "channel",
                    "--on-revoke: found " + text + ", expected refuse or unpatched");
}

// Refuses a place that no update could reach; one that is only not there now is said.
Status check_reachable(const std::string& place) {
  if (!is_channel_url(place)) {
    std::error_code code;
    if (!fs::is_directory(place, code)) warn(place + ": found no such folder now");
    return {};
  }
  if (!place.starts_with("http://")) return {};
  LLMPATCH_ASSIGN(const Url url, parse_url(place));
  if (!is_this_machine(url)) {
    return make_error(ErrorKind::kDenied, "channel",
                      place +
                          ": found http, expected https: what goes over the network "
                          "unencrypted can be held back");
  }
  say("updates from it need --plain-http");
  return {};
}

// The channel's root as the file has it.
Result<std::string> read_root(const fs::path& path) {
  LLMPATCH_ASSIGN(std::string text, read_file(path, tuf_max_bytes(TufRole::kRoot), "pinned root"));
  if (text.starts_with("-----BEGIN")) {
    return make_error(ErrorKind::kUntrusted, "channel",
                      path.string() + ": found a key, expected the channel's 1.root.json");
  }
  return text;
}

Status subscribe(const Options& options) {
  Subscription subscription;
  LLMPATCH_ASSIGN(subscription.url, channel_place(options.place));
  for (const std::string& mirror : options.mirrors) {
    LLMPATCH_ASSIGN(std::string place, channel_place(mirror));
    subscription.mirrors.push_back(std::move(place));
  }
  for (const std::string& name : options.names) {
    LLMPATCH_TRY(parse_bare_name(name));
    subscription.names.push_back(name);
  }
  LLMPATCH_ASSIGN(subscription.on_revoke, parse_on_revoke(options.on_revoke));
  LLMPATCH_TRY(check_reachable(subscription.url));
  LLMPATCH_ASSIGN(subscription.believed.root, read_root(options.root));
  LLMPATCH_ASSIGN(Store store, options.store.open(true));
  LLMPATCH_TRY(store.subscribe(subscription, options.force ? Overwrite::kYes : Overwrite::kNo));
  say("subscribed to " + subscription.url + "; next: llmpatch update --key VENDOR.pub");
  return {};
}

Status unsubscribe(const Options& options) {
  LLMPATCH_ASSIGN(const std::string place, channel_place(options.place));
  LLMPATCH_ASSIGN(Store store, options.store.open(false));
  LLMPATCH_TRY(store.unsubscribe(place));
  say("unsubscribed from " + place + "; what it has revoked stays so");
  return {};
}

// The version of a file that was believed before, which therefore reads well; 0 where there is
// none.
std::int64_t version_of(const std::string& text, TufRole role) {
  if (text.empty()) return 0;
  const auto envelope = parse_tuf_envelope(text, role, "store");
  return envelope.ok() ? envelope->version : 0;
}

Status list(const Options& options) {
  LLMPATCH_ASSIGN(Store store, options.store.open(false));
  LLMPATCH_ASSIGN(const std::vector<Subscription> all, store.subscriptions());
  Json json = Json::array();
  std::string text;
  for (const Subscription& each : all) {
    const std::int64_t root = version_of(each.believed.root, TufRole::kRoot);
    const std::int64_t targets = version_of(each.believed.targets, TufRole::kTargets);
    const char* on_revoke = each.on_revoke == OnRevoke::kUnpatched ? "unpatched" : "refuse";
    json.push_back({{"channel", each.url},
                    {"mirrors", each.mirrors},
                    {"names", each.names},
                    {"on_revoke", on_revoke},
                    {"root", root},
                    {"targets", targets},
                    {"latest_update", each.latest.empty() ? Json() : Json(each.latest)}});
    text += each.url + "\n    patches " +
            (each.names.empty() ? std::string("all") : join(each.names, ", ")) + ", root " +
            std::to_string(root) + ", targets " +
            (targets == 0 ? std::string("not seen yet") : std::to_string(targets)) +
            ", on revoke " + on_revoke +
            (each.latest.empty() ? std::string() : ", last update " + each.latest) + "\n";
  }
  if (options.json) return print(json_pretty(json));
  if (all.empty()) say("no channels in " + store.folder().string());
  return print(text);
}

}  // namespace

RunFn declare_channel_subscribe(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("PLACE", options->place,
                 "Address (https://… or oci://host/repository) or folder of the channel")
      ->required();
  app.add_option("--root", options->root,
                 "The channel's root, 1.root.json or a later one, got by a way of its own")
      ->required();
  app.add_option("--name", options->names,
                 "Name of a patch to follow; repeatable (default: all of the channel)")
      ->allow_extra_args(false);
  app.add_option("--mirror", options->mirrors,
                 "Address or folder to ask where the first fails; repeatable")
      ->allow_extra_args(false);
  app.add_option("--on-revoke", options->on_revoke,
                 "When every version of a patch is revoked: refuse to run, or run unpatched")
      ->capture_default_str();
  options->store.declare(app);
  app.add_flag("--force", options->force, "Begin anew where the store follows it already");
  return [options](const CancelFlag&) { return subscribe(*options); };
}

RunFn declare_channel_unsubscribe(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("PLACE", options->place, "Address or folder of the channel")->required();
  options->store.declare(app);
  return [options](const CancelFlag&) { return unsubscribe(*options); };
}

RunFn declare_channel_list(CLI::App& app) {
  auto options = std::make_shared<Options>();
  options->store.declare(app);
  app.add_flag("--json", options->json, "Print JSON");
  return [options](const CancelFlag&) { return list(*options); };
}

}  // namespace llmpatch
