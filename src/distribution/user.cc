#include "distribution/user.h"

#include <pwd.h>
#include <unistd.h>

#include <array>

namespace llmpatch {

std::string current_user() {
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 4096> buffer{};
  ::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found);
  std::string user = found != nullptr ? found->pw_name : std::to_string(::geteuid());
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) return user;
  return user + "@" + host.data();
}

}  // namespace llmpatch
