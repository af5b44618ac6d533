#include "serve/http_tls.h"

#include <openssl/ssl.h>

#include <string>

namespace llmpatch {
namespace {

namespace ssl = boost::asio::ssl;
using boost::system::error_code;

Error bad(const char* what, const std::filesystem::path& path, const error_code& error) {
  return make_error(ErrorKind::kInvalidArgument, "serve",
                    std::string("TLS ") + what + ": found " + path.string() + " (" +
                        error.message() + "), expected PEM, and the key without a passphrase");
}

}  // namespace

Result<std::unique_ptr<ssl::context>> make_tls_context(const std::filesystem::path& certificate,
                                                       const std::filesystem::path& key) {
  auto context = std::make_unique<ssl::context>(ssl::context::tls_server);
  SSL_CTX* raw = context->native_handle();
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  // Renegotiation costs the server more than the client; nothing here needs it.
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS);
  error_code error;
  // Without this OpenSSL asks on the terminal.
  context->set_password_callback(
      [](std::size_t, ssl::context::password_purpose) { return std::string(); }, error);
  if (error) return bad("settings", key, error);
  context->use_certificate_chain_file(certificate.string(), error);
  if (error) return bad("certificate", certificate, error);
  context->use_private_key_file(key.string(), ssl::context::pem, error);
  if (error) return bad("key", key, error);
  if (SSL_CTX_check_private_key(raw) != 1) {
    return make_error(
        ErrorKind::kInvalidArgument, "serve",
        "TLS key: found " + key.string() + ", expected the key of " + certificate.string());
  }
  return context;
}

}  // namespace llmpatch
