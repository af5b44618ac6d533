// llmpatch update: installs what the channels of the store have that is newer, and obeys what they
// have revoked.
#include <memory>

#include "base/json.h"
#include "channel_place.h"
#include "command.h"
#include "distribution/channel_update.h"
#include "progress_bar.h"
#include "registry_options.h"
#include "store_options.h"
#include "terminal.h"
#include "trust_options.h"

namespace llmpatch {
namespace {

struct Options {
  std::string place;
  RegistryPlace server;
  StorePlace store;
  TrustOptions trust;
  bool install_only = false, json = false;
};

Json to_json(const std::vector<Error>& errors) {
  Json json = Json::array();
  for (const Error& error : errors) {
    const ErrorKindInfo& kind = error_kind_info(error.kind);
    json.push_back({{"code", kind.exit_code}, {"kind", kind.name}, {"message", error.message}});
  }
  return json;
}

Json to_json(const Subscription& subscription, const UpdateReport& report) {
  Json json = {{"channel", subscription.url},     {"place", report.place},
               {"version", report.version},       {"expires", report.expires},
               {"installed", Json::array()},      {"renewed", Json::array()},
               {"revoked", Json::array()},        {"notes", report.notes},
               {"errors", to_json(report.errors)}};
  for (const Change& change : report.installed) json["installed"].push_back(to_json(change.patch));
  for (const Change& change : report.renewed) json["renewed"].push_back(to_json(change.patch));
  for (const RevokedPatch& patch : report.revoked) {
    json["revoked"].push_back(
        {{"patch", patch.title},
         {"replacement", patch.replacement.empty() ? Json() : Json(patch.replacement)}});
  }
  return json;
}

void tell(const Change& change, const char* done) {
  for (const std::string& warning : change.warnings) warn(warning);
  say(std::string(done) + ": " + change.patch.name + " " + change.patch.version +
      ", sha256:" + change.patch.digest + ", " + signer_text(change.patch));
}

void tell(const Subscription& subscription, const UpdateReport& report) {
  for (const RevokedPatch& patch : report.revoked) warn(patch.warning);
  for (const std::string& line : report.notes) warn(line);
  for (const Change& change : report.installed) {
    tell(change, change.patch.active ? "installed and active" : "installed");
  }
  for (const Change& change : report.renewed) tell(change, "renewed");
  if (report.installed.empty() && report.renewed.empty() && report.revoked.empty() &&
      report.errors.empty()) {
    say("up to date: " + subscription.url + ", version " + std::to_string(report.version));
  }
}

Status run(const Options& options, const CancelFlag& cancel) {
  UpdateOptions update;
  LLMPATCH_ASSIGN(update.install.trust, options.trust.trust());
  update.install.activate = !options.install_only;
  LLMPATCH_ASSIGN(update.server, options.server.options(cancel));
  LLMPATCH_ASSIGN(Store store, options.store.open(false));
  LLMPATCH_ASSIGN(std::vector<Subscription> subscriptions, store.subscriptions());
  if (!options.place.empty()) {
    LLMPATCH_ASSIGN(const std::string place, channel_place(options.place));
    std::erase_if(subscriptions, [&](const Subscription& each) { return each.url != place; });
  }
  if (subscriptions.empty()) {
    return make_error(ErrorKind::kNotFound, "update",
                      "found no subscription" +
                          (options.place.empty() ? "" : " to " + options.place) + " in the store " +
                          store.folder().string(),
                      "llmpatch channel subscribe makes one");
  }
  ProgressBar bar("updating", "bytes");
  update.progress = bar.callback();
  // One channel, or one patch, that fails keeps no other from being updated. The first error is the
  // command's, the others are told before it.
  std::vector<Error> errors;
  Json reports = Json::array();
  for (const Subscription& subscription : subscriptions) {
    const Result<UpdateReport> report = update_channel(store, subscription, update);
    bar.clear();
    if (!report.ok()) {
      if (report.error().kind == ErrorKind::kCancelled) return report.error();
      errors.push_back(report.error());
      reports.push_back({{"channel", subscription.url}, {"errors", to_json({report.error()})}});
      continue;
    }
    tell(subscription, *report);
    reports.push_back(to_json(subscription, *report));
    errors.insert(errors.end(), report->errors.begin(), report->errors.end());
  }
  for (std::size_t i = 1; i < errors.size(); ++i) warn(errors[i].message);
  // What was done, was done, whatever else failed.
  if (options.json) LLMPATCH_TRY(print(json_pretty(Json{{"channels", reports}})));
  return errors.empty() ? Status() : Status(errors[0]);
}

}  // namespace

RunFn declare_update(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("PLACE", options->place,
                 "Channel to update from (default: all that are followed)");
  options->store.declare(app);
  options->trust.declare(app);
  app.add_flag("--install-only", options->install_only,
               "Make nothing that was installed the active version");
  app.add_option("--channel-ca", options->server.certificates,
                 "PEM file of the roots that the server's certificate must lead to (default: the "
                 "system's)");
  app.add_flag("--plain-http", options->server.plain_http,
               "Speak http, to a server on this machine only");
  options->server.declare_docker_config(app);
  app.add_flag("--json", options->json, "Print JSON");
  return [options](const CancelFlag& cancel) { return run(*options, cancel); };
}

}  // namespace llmpatch
