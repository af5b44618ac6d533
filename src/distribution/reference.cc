#include "distribution/reference.h"

#include "base/quote.h"
#include "base/sha256.h"
#include "patch/names.h"

namespace llmpatch {
namespace {

constexpr std::string_view kAlgorithm = "sha256:";

}  // namespace

std::string Reference::to_string() const {
  if (!digest.empty()) return name + "@" + std::string(kAlgorithm) + digest;
  return version.empty() ? name : name + "@" + version;
}

Result<Reference> parse_reference(std::string_view text) {
  Reference reference;
  const auto at = text.find('@');
  reference.name = text.substr(0, at);
  bool valid = is_patch_name(reference.name);
  if (at != std::string_view::npos) {
    const std::string_view rest = text.substr(at + 1);
    if (rest.starts_with(kAlgorithm)) {
      reference.digest = rest.substr(kAlgorithm.size());
      valid = valid && is_sha256_hex(reference.digest);
    } else {
      reference.version = rest;
      valid = valid && is_semver(rest);
    }
  }
  if (valid) return reference;
  return make_error(ErrorKind::kInvalidArgument, "store",
                    "patch: found " + quote(text) +
                        ", expected name, name@1.2.3 or name@sha256: and 64 hexadecimal digits");
}

Result<std::string> parse_bare_name(std::string_view text) {
  if (is_patch_name(text)) return std::string(text);
  return make_error(ErrorKind::kInvalidArgument, "store",
                    "patch: found " + quote(text) + ", expected a name without version");
}

}  // namespace llmpatch
