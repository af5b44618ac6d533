// Who may ask: API keys, and the admin key. Internal to serve/.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace llmpatch {

// What the admin key is called in logs and as a tenant.
inline constexpr std::string_view kAdminName = "admin";

struct ApiKey {
  std::string name;                                 // in logs; the tenant of its requests
  std::string sha256;                               // of the key
  std::optional<std::vector<std::string>> patches;  // patterns of names it may run; not given: all
  std::optional<bool> unpatched;  // may run the model alone; not given: as the server says

  // Whether it may run a patch of that name.
  bool may_run(std::string_view patch) const;
};

// The keys of a server. Immutable; comparing takes the same time whatever was sent.
class Keys {
 public:
  // Reads the files (docs/api.md); an empty path: there is none. kNotFound, kCorrupt (a file that
  // is not of its form), kDenied (an admin key that others may read; its group may, where it is
  // root's or this process's), kLimit.
  static Result<Keys> read(const std::filesystem::path& api_keys,
                           const std::filesystem::path& admin_key);

  bool has_api_keys() const { return !keys_.empty(); }
  bool has_admin_key() const { return !admin_.empty(); }

  // The key whose text is `bearer`; null when there is none.
  const ApiKey* find(std::string_view bearer) const;
  bool is_admin(std::string_view bearer) const;

 private:
  std::vector<ApiKey> keys_;
  std::string admin_;  // sha256; empty: none
};

// The key of an Authorization header, or nothing: "Bearer KEY".
std::string_view bearer_of(std::string_view authorization);

}  // namespace llmpatch
