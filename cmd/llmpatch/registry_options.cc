#include "registry_options.h"

#include "progress_bar.h"

namespace llmpatch {

CLI::Option* RegistryPlace::declare_docker_config(CLI::App& app) {
  return app.add_option(
      "--docker-config", docker_config,
      "Docker's config file with the credentials (default: ~/.docker/config.json)");
}

void RegistryPlace::declare(CLI::App& app) {
  const char* group = "Registry";
  declare_docker_config(app)->group(group);
  app.add_option("--registry-ca", certificates,
                 "PEM file of the roots that the registry's certificate must lead to (default: the "
                 "system's)")
      ->group(group);
  app.add_flag("--plain-http", plain_http, "Speak http, to a registry on this machine only")
      ->group(group);
}

Result<RegistryOptions> RegistryPlace::options(const CancelFlag& cancel) const {
  RegistryOptions options;
  options.http.certificates = certificates;
  options.http.plain_http = plain_http;
  options.http.cancel = &cancel;
  options.docker_config = docker_config.empty() ? default_docker_config() : docker_config;
  std::error_code error;
  if (!docker_config.empty() && !std::filesystem::exists(docker_config, error)) {
    return make_error(ErrorKind::kNotFound, "registry",
                      "Docker's config: found no file " + docker_config.string());
  }
  return options;
}

Result<Registry> RegistryPlace::open(const OciReference& reference, RegistryAccess access,
                                     const CancelFlag& cancel) const {
  LLMPATCH_ASSIGN(const RegistryOptions chosen, options(cancel));
  return Registry::open(reference.host, reference.repository, access, chosen);
}

Result<Pulled> RegistryPlace::pull(const OciReference& reference, const CancelFlag& cancel) const {
  LLMPATCH_ASSIGN(Registry registry, open(reference, RegistryAccess::kPull, cancel));
  ProgressBar bar("pulling", "bytes");
  return pull_patch(reference, registry, bar.callback());
}

}  // namespace llmpatch
