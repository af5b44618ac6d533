// --store: which store a command uses. And how it says what is in one.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>

#include "base/json.h"
#include "base/result.h"
#include "distribution/store.h"

namespace llmpatch {

// Declares --store, which sets `folder`.
void declare_store(CLI::App& app, std::filesystem::path& folder);

struct StorePlace {
  std::filesystem::path folder;  // empty: the user's own

  void declare(CLI::App& app) { declare_store(app, folder); }
  // The folder named, or else llmpatch/store in $XDG_DATA_HOME, which is ~/.local/share unless set
  // (to an absolute path). kNotFound when neither is set and there is no home.
  Result<std::filesystem::path> resolve() const;
  // Opens it. Errors of resolve and Store::open.
  Result<Store> open(bool create) const;
};

// Whether `patch`, as somebody typed it, is a path: it has a slash in it, or is there as a
// directory or file. Anything else names a patch of the store (parse_reference).
bool is_patch_path(const std::string& patch);

// Warns when `patch` is a path that has the name of a patch in the store, which it comes before.
void warn_of_shadow(const std::string& patch, const StorePlace& place);

// An error of looking for `patch` in the store: one that is not there is kNotFound, and the message
// says both things it could have been. `option` is what it was given by, such as "--patch".
Error not_in_store(const std::string& option, const std::string& patch, Error error);

// "key …", or that nobody's signature was verified.
std::string signer_text(const InstalledPatch& patch);
Json to_json(const InstalledPatch& patch);

// Says what a change did: warnings on stderr, then `done` ("installed", in the past tense) and the
// patch; as JSON on stdout with `json`. `reference` is where a registry had it; empty otherwise.
Status report_change(const Change& change, const std::string& done, bool json,
                     const std::string& reference = "");

}  // namespace llmpatch
