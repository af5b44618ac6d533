// llmpatch history: what was done to the store, by whom and when.
#include <algorithm>
#include <memory>

#include "command.h"
#include "store_options.h"
#include "terminal.h"

namespace llmpatch {
namespace {

struct Options {
  std::string name;
  StorePlace store;
  bool json = false;
};

Json to_json(const HistoryEntry& entry) {
  const auto or_null = [](const std::optional<std::string>& text) {
    return text ? Json(*text) : Json();
  };
  return {{"time", entry.time},
          {"who", entry.who},
          {"operation", entry.operation},
          {"name", or_null(entry.name)},
          {"version", or_null(entry.version)},
          {"digest", entry.digest ? Json("sha256:" + *entry.digest) : Json()},
          {"signer", or_null(entry.signer)},
          {"outcome", entry.outcome},
          {"detail", entry.detail}};
}

// On one line, whatever a file name in it had.
std::string to_text(const HistoryEntry& entry) {
  std::string text = entry.time + " " + entry.who + " " + entry.operation;
  if (entry.name) text += " " + *entry.name + (entry.version ? " " + *entry.version : "");
  if (entry.digest) text += " sha256:" + *entry.digest;
  if (entry.signer) text += " by " + *entry.signer;
  text += " " + entry.outcome;
  if (!entry.detail.empty()) text += ": " + entry.detail;
  std::replace_if(
      text.begin(), text.end(),
      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
  return text + "\n";
}

Status run(const Options& options) {
  if (!options.name.empty()) LLMPATCH_TRY(parse_bare_name(options.name));
  LLMPATCH_ASSIGN(Store store, options.store.open(false));
  LLMPATCH_ASSIGN(const std::vector<HistoryEntry> entries, store.history(options.name));
  if (options.json) {
    Json list = Json::array();
    for (const HistoryEntry& entry : entries) list.push_back(to_json(entry));
    return print(json_pretty(list));
  }
  std::string text;
  for (const HistoryEntry& entry : entries) text += to_text(entry);
  return print(text);
}

}  // namespace

RunFn declare_history(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("NAME", options->name, "Name of a patch; without it, everything");
  options->store.declare(app);
  app.add_flag("--json", options->json, "Print JSON");
  return [options](const CancelFlag&) { return run(*options); };
}

}  // namespace llmpatch
