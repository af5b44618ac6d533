// Which host names stand for this machine.
#pragma once

#include <string_view>

namespace llmpatch {

// Whether `host` is localhost, an address that begins with 127, or ::1, without brackets. No name
// that only begins like an address: 127.example.com is anybody's.
bool is_loopback(std::string_view host);

}  // namespace llmpatch
