#include "distribution/credentials.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "base/base64.h"
#include "base/file.h"
#include "base/helper_program.h"
#include "base/json.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxConfig = std::uint64_t{1} << 20;
constexpr std::size_t kMaxHelperAnswer = std::size_t{64} << 10;
constexpr std::chrono::seconds kHelperLimit{30};
constexpr const char* kDockerHub = "registry-1.docker.io";
constexpr const char* kIdentityToken = "<token>";  // a helper's user name for one

Error unsupported(const std::string& host) {
  return make_error(
      ErrorKind::kUnsupported, "registry",
      "credentials for " + host + ": found an identity token, expected a user name and a password");
}

bool is_helper_name(const std::string& name) {
  return !name.empty() && name.size() < 100 &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
         });
}

Result<std::optional<Credentials>> ask_helper(const std::string& name, const std::string& host) {
  const std::string program = "docker-credential-" + name;
  if (!is_helper_name(name)) {
    return make_error(ErrorKind::kCorrupt, "registry",
                      "credential helper: found a name that is none");
  }
  LLMPATCH_ASSIGN(const HelperAnswer answer, run_helper("registry", {program, "get"}, host,
                                                        {kMaxHelperAnswer, kHelperLimit, nullptr}));
  if (answer.exit_code != 0) {
    // What every helper says when it has nothing for this host.
    if (answer.output.find("credentials not found") != std::string::npos) {
      return std::optional<Credentials>();
    }
    return make_error(ErrorKind::kIo, "registry",
                      program + ": found exit code " + std::to_string(answer.exit_code) +
                          ", expected credentials for " + host);
  }
  LLMPATCH_ASSIGN(const Json json, parse_json(answer.output, program));
  Credentials found;
  LLMPATCH_ASSIGN(found.user, json_string(json, "Username", program));
  LLMPATCH_ASSIGN(found.password, json_string(json, "Secret", program));
  if (found.user == kIdentityToken) return unsupported(host);
  return std::optional<Credentials>(std::move(found));
}

// "auth" is base64 of "user:password"; without it a helper knows.
Result<std::optional<Credentials>> read_entry(const Json& entry, const std::string& host,
                                              const std::string& where) {
  const auto token = entry.find("identitytoken");
  if (token != entry.end() && *token != "") return unsupported(host);
  if (!entry.contains("auth") || entry["auth"] == "") return std::optional<Credentials>();
  LLMPATCH_ASSIGN(const std::string text, json_string(entry, "auth", where));
  const auto plain = base64_decode(text);
  const std::size_t colon = plain ? plain->find(':') : std::string::npos;
  if (colon == std::string::npos) {
    return make_error(ErrorKind::kCorrupt, "registry",
                      where + ": auths of " + host + ": found no base64 of user:password");
  }
  std::string password = plain->substr(colon + 1);
  password.resize(std::min(password.size(), password.find('\0')));  // some writers pad
  return std::optional<Credentials>({plain->substr(0, colon), password});
}

}  // namespace

fs::path default_docker_config() {
  if (const char* folder = std::getenv("DOCKER_CONFIG"); folder != nullptr && *folder != '\0') {
    return fs::path(folder) / "config.json";
  }
  const char* home = std::getenv("HOME");
  return home != nullptr && *home != '\0' ? fs::path(home) / ".docker" / "config.json" : fs::path();
}

Result<std::optional<Credentials>> find_credentials(const fs::path& config,
                                                    const std::string& host) {
  std::error_code error;
  if (config.empty() || !fs::exists(config, error)) return std::optional<Credentials>();
  LLMPATCH_ASSIGN(const std::string bytes, read_file(config, kMaxConfig, "Docker's config"));
  const std::string where = config.string();
  LLMPATCH_ASSIGN(const Json json, parse_json(bytes, where));
  if (!json.is_object()) {
    return make_error(ErrorKind::kCorrupt, "registry", where + ": found no object");
  }
  const auto object = [&](const char* key) {
    const auto found = json.find(key);
    return found != json.end() && found->is_object() ? *found : Json::object();
  };
  // What the host is called there, and to helpers.
  const bool hub = host == kDockerHub;
  const std::string name = hub ? "https://index.docker.io/v1/" : host;
  const Json helpers = object("credHelpers");
  if (const auto own = helpers.find(name); own != helpers.end() && own->is_string()) {
    return ask_helper(own->get<std::string>(), name);
  }
  const Json entries = object("auths");
  for (const std::string& key : {name, "https://" + host, "https://" + host + "/v2/"}) {
    const auto entry = entries.find(key);
    if (entry == entries.end() || !entry->is_object()) continue;
    LLMPATCH_ASSIGN(auto found, read_entry(*entry, host, where));
    if (found) return found;
  }
  if (const auto all = json.find("credsStore"); all != json.end() && all->is_string()) {
    return ask_helper(all->get<std::string>(), name);
  }
  return std::optional<Credentials>();
}

}  // namespace llmpatch
