#include "store_options.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "base/quote.h"
#include "terminal.h"
#include "trust_options.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

// A variable that names an absolute path; others are to be ignored (XDG Base Directory).
fs::path path_variable(const char* name) {
  const char* value = std::getenv(name);
  const fs::path path = value == nullptr ? "" : value;
  return path.is_absolute() ? path : fs::path();
}

fs::path home() {
  fs::path path = path_variable("HOME");
  if (path.empty()) {
    if (const passwd* entry = ::getpwuid(::geteuid())) path = entry->pw_dir;
  }
  return path.is_absolute() ? path : fs::path();
}

}  // namespace

void declare_store(CLI::App& app, fs::path& folder) {
  app.add_option("--store", folder,
                 "Folder of the store; without it $XDG_DATA_HOME/llmpatch/store, in which "
                 "XDG_DATA_HOME is ~/.local/share unless set")
      ->check([](const std::string& text) {  // "" would mean the user's own
        return std::string(text.empty() ? "found nothing, expected a folder" : "");
      });
}

Result<fs::path> StorePlace::resolve() const {
  if (!folder.empty()) {
    const fs::path clean = folder.lexically_normal();
    return clean.has_filename() ? clean : clean.parent_path();  // "dir/" names "dir"
  }
  fs::path data = path_variable("XDG_DATA_HOME");
  if (data.empty()) {
    const fs::path start = home();
    if (start.empty()) {
      return make_error(ErrorKind::kNotFound, "store", "store: found no home folder to look in",
                        "say --store FOLDER");
    }
    data = start / ".local" / "share";
  }
  return data / "llmpatch" / "store";
}

Result<Store> StorePlace::open(bool create) const {
  LLMPATCH_ASSIGN(const fs::path path, resolve());
  StoreOptions options;
  options.create = create;
  return Store::open(path, options);
}

bool is_patch_path(const std::string& patch) {
  std::error_code code;
  return patch.find('/') != std::string::npos || fs::exists(patch, code);
}

void warn_of_shadow(const std::string& patch, const StorePlace& place) {
  if (patch.find('/') != std::string::npos) return;
  const auto names = [&]() -> Result<bool> {
    LLMPATCH_ASSIGN(const Reference reference, parse_reference(patch));
    LLMPATCH_ASSIGN(Store store, place.open(false));
    LLMPATCH_ASSIGN(const std::vector<InstalledPatch> patches, store.list());
    return std::any_of(patches.begin(), patches.end(), [&](const InstalledPatch& installed) {
      return installed.name == reference.name;
    });
  };
  // Without a store that can be read there is nothing to mix it up with.
  if (const auto found = names(); !found.ok() || !*found) return;
  warn(patch + " is the directory or file here, not the patch of the store; say " + patch +
       "@VERSION for that one, ./" + patch + " for this");
}

Error not_in_store(const std::string& option, const std::string& patch, Error error) {
  if (error.kind != ErrorKind::kNotFound && error.kind != ErrorKind::kInvalidArgument) return error;
  error.kind = ErrorKind::kNotFound;
  error.message = option + " " + quote(patch) +
                  ": found no such directory or file, and no such patch in the store (" +
                  error.message + ")";
  return error;
}

std::string signer_text(const InstalledPatch& patch) {
  return patch.signer ? patch.signer->to_string() : "not verified (--allow-unsigned)";
}

Json to_json(const InstalledPatch& patch) {
  return {{"name", patch.name},
          {"version", patch.version},
          {"digest", "sha256:" + patch.digest},
          {"active", patch.active},
          {"sequence", patch.sequence},
          {"expires", patch.expires ? Json(*patch.expires) : Json()},
          {"risk", patch.risk},
          {"summary", patch.summary},
          {"signer", patch.signer ? to_json(*patch.signer) : Json()},
          {"installed", patch.installed}};
}

Status report_change(const Change& change, const std::string& done, bool json,
                     const std::string& reference) {
  for (const std::string& warning : change.warnings) warn(warning);
  if (json) {
    Json report = to_json(change.patch);
    report["changed"] = change.changed;
    report["warnings"] = change.warnings;
    report["repaired"] = change.repaired;
    if (!reference.empty()) report["reference"] = reference;
    return print(json_pretty(report));
  }
  if (!reference.empty()) say(reference);
  const std::string already = change.changed ? "" : " already";
  if (change.repaired > 0) say("repaired damaged files: " + std::to_string(change.repaired));
  say(done + already + ": " + change.patch.name + " " + change.patch.version +
      ", sha256:" + change.patch.digest + ", " + signer_text(change.patch));
  return {};
}

}  // namespace llmpatch
