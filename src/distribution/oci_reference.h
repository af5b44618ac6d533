// How a patch in a registry is called: host[:port]/repository[:tag][@sha256:<digest>].
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace llmpatch {

struct OciReference {
  std::string host;        // with its port, where one was given
  std::string repository;  // such as team/refuse
  std::string tag;         // empty unless given
  std::string digest;      // empty unless given: "sha256:" and 64 hexadecimal digits

  // What to ask the registry for: the digest where there is one.
  const std::string& wanted() const { return digest.empty() ? tag : digest; }
  std::string to_string() const;
};

// "oci://" before it is allowed. The host must be said: there is no default registry.
// kInvalidArgument for anything else than the form above (distribution-spec, "Pulling manifests").
Result<OciReference> parse_oci_reference(std::string_view text);

// [a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}
bool is_oci_tag(std::string_view text);

// "sha256:" and 64 lower-case hexadecimal digits: the only digests that are taken.
bool is_oci_digest(std::string_view text);

// The digest of `bytes` in that form.
std::string oci_digest(std::string_view bytes);

}  // namespace llmpatch
