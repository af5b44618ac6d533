// Who one is to a registry: what `docker login` and the like left in Docker's config file.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/result.h"

namespace llmpatch {

struct Credentials {
  std::string user, password;
};

// $DOCKER_CONFIG/config.json, or ~/.docker/config.json; empty when neither is known.
std::filesystem::path default_docker_config();

// The credentials for `host` (with its port; Docker Hub's are known by the name that `docker login`
// gives them) in the config file `config`: of the host's own
// credential helper (credHelpers), the one for all (credsStore), or written down (auths). Nothing
// when the file is not there or knows no such host. A helper is the program
// docker-credential-<name>, run without a shell and given 30 seconds.
//
// kCorrupt: a file that is no such config; kUnsupported: an identity token; kNotFound: there is
// no such helper; kIo: one that fails; kLimit: one that takes too long or says too much. Secrets
// are in no message.
Result<std::optional<Credentials>> find_credentials(const std::filesystem::path& config,
                                                    const std::string& host);

}  // namespace llmpatch
