// One version of a patch as the server knows it. Internal to serve/.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "patch/card.h"
#include "patch/manifest.h"
#include "serve/prefix.h"
#include "trust/trust.h"

namespace llmpatch {

// Immutable once it is in a table.
struct ServedPatch {
  enum class Source { kFile, kStore };

  Manifest manifest;   // where it could not be loaded, as much of it as the store knows
  std::string digest;  // of its files; empty for one whose signature was not verified
  Source source = Source::kFile;
  bool is_current = false;     // what its bare name stands for
  std::optional<Error> error;  // why it runs in no request; kDenied: it was revoked
  std::vector<std::string> warnings;
  std::optional<Signer> signer;
  std::vector<EffectRow> card;
  std::shared_ptr<Prefix> prefix;  // null with an error

  // For the next table.
  std::string path;       // where --patch says that it is; empty for one of the store
  std::string contents;   // digest of its manifest, and so of every file
  std::string admission;  // the warning with which it was admitted to the model

  // "name@version".
  std::string title() const;
  // "ready", "revoked" or "failed".
  const char* state() const;
  // Whether it has by now.
  bool has_expired() const;
};

Json signer_json(const Signer& signer);
// An entry of GET /v1/patches. `base` is the base model's id.
Json patch_json(const ServedPatch& patch, const std::string& base);

}  // namespace llmpatch
