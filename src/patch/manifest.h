// manifest.json: what a patch is, which model it is for, and the digest of every file it consists
// of. The schema, field by field, is in docs/format.md.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "patch/base_identity.h"
#include "patch/tested_stack.h"

namespace llmpatch {

// The schema version this program writes, and the only one it reads.
inline constexpr std::int64_t kManifestSchema = 1;

// What the patch's author says about stacking it with others.
struct ComposeRules {
  std::vector<std::string> conflicts;  // names of patches it must not be stacked with
  // What it was measured with: "name@version" alone, or stacks with figures. One list in the file,
  // names first.
  std::vector<std::string> tested;
  std::vector<TestedStack> tested_stacks = {};

  bool operator==(const ComposeRules&) const = default;
};

struct Manifest {
  std::string name;                    // is_patch_name
  std::string version;                 // is_semver
  std::int64_t sequence = 1;           // >= 1; grows with each release of this name
  std::optional<std::string> expires;  // is_utc_time; not to be newly installed afterwards
  std::string risk;                    // is_patch_name: the risk it is about, such as "harmful"
  std::string summary;                 // one line for people
  std::string license;                 // SPDX expression
  BaseIdentity base;                   // the model it was learned on
  Json learned = Json::object();       // method, teacher, data digests, hyper-parameters, version
  std::vector<std::string> required;   // "requires": is_requirement; patches it needs beside it
  ComposeRules compose;
  std::map<std::string, std::string>
      files;  // file name -> sha256; all but manifest.json, model.sig

  bool operator==(const Manifest&) const = default;
};

// Why `manifest` cannot be written, or success: every field within its form and limits. The error
// is kInvalidArgument; the same rules applied to a file are kCorrupt (parse_manifest).
Status check_manifest(const Manifest& manifest);

// The bytes of manifest.json. The same manifest gives the same bytes. Only for one that
// check_manifest accepts.
std::string manifest_to_json(const Manifest& manifest);

// Parses and checks such a file. kCorrupt: not JSON, a field missing, unknown, of another type or
// against its form; kUnsupported: another schema version.
// `where` names the file in messages.
Result<Manifest> parse_manifest(std::string_view text, std::string_view where);

}  // namespace llmpatch
