#include "serve/loopback.h"

namespace llmpatch {

bool is_loopback(std::string_view host) {
  const bool is_address = host.find_first_not_of("0123456789.") == std::string_view::npos;
  return host == "localhost" || (is_address && host.starts_with("127.")) || host == "::1";
}

}  // namespace llmpatch
