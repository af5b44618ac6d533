// The server's certificate and the TLS it speaks.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <filesystem>
#include <memory>

#include "base/result.h"

namespace llmpatch {

// TLS 1.2 or newer with a certificate chain (the server's own first) and its key, PEM both, the key
// without a passphrase. kInvalidArgument where a file cannot be read, is not that, or the two do
// not belong together.
Result<std::unique_ptr<boost::asio::ssl::context>> make_tls_context(
    const std::filesystem::path& certificate, const std::filesystem::path& key);

}  // namespace llmpatch
