#include "trust/openssl.h"

#include <openssl/err.h>

namespace llmpatch::openssl {

std::string last_error() {
  const unsigned long code = ERR_peek_last_error();
  const char* reason = code != 0 ? ERR_reason_error_string(code) : nullptr;
  std::string text = reason != nullptr ? reason : "no reason given";
  ERR_clear_error();
  return text;
}

}  // namespace llmpatch::openssl
