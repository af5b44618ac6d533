#include "trust/certificate.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/file.h"
#include "base/quote.h"
#include "base/sha256.h"
#include "trust/openssl.h"

namespace llmpatch {
namespace {

constexpr std::size_t kMaxDer = 64 * 1024;
constexpr std::uint64_t kMaxPemFile = 1024 * 1024;
constexpr int kSecurityLevel = 2;  // OpenSSL's: 112 bits, so no SHA-1 and no RSA below 2048

using Store = std::unique_ptr<X509_STORE, openssl::Free<X509_STORE_free>>;
using StoreContext = std::unique_ptr<X509_STORE_CTX, openssl::Free<X509_STORE_CTX_free>>;

Certificate shared(X509* certificate) {
  return Certificate(std::shared_ptr<X509>(certificate, X509_free));
}

Error untrusted(std::string_view where, const std::string& message) {
  return make_error(ErrorKind::kUntrusted, "certificate", std::string(where) + ": " + message);
}

Error internal(const char* action) {
  return make_error(ErrorKind::kInternal, "certificate",
                    std::string(action) + ": OpenSSL: " + openssl::last_error());
}

Status check_usage(const Certificate& leaf, std::string_view where) {
  X509* certificate = leaf.handle();
  const std::uint32_t flags = X509_get_extension_flags(certificate);
  const bool has_usage = (flags & EXFLAG_KUSAGE) != 0;
  const bool has_extended = (flags & EXFLAG_XKUSAGE) != 0;
  const std::string title = "certificate " + leaf.subject();
  if ((flags & EXFLAG_INVALID) != 0) return untrusted(where, title + ": found broken extensions");
  if (!has_usage && !has_extended) {
    return untrusted(where, title +
                                ": found neither KeyUsage nor ExtendedKeyUsage, expected "
                                "digitalSignature or codeSigning");
  }
  if (has_usage && (X509_get_key_usage(certificate) & KU_DIGITAL_SIGNATURE) == 0) {
    return untrusted(where, title + ": found a KeyUsage without digitalSignature");
  }
  if (has_extended && (X509_get_extended_key_usage(certificate) & XKU_CODE_SIGN) == 0) {
    return untrusted(where, title + ": found an ExtendedKeyUsage without codeSigning");
  }
  return {};
}

}  // namespace

Result<Certificate> Certificate::from_der(std::string_view der, std::string_view where) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const auto* end = at + der.size();
  X509* certificate = der.size() > kMaxDer ? nullptr : d2i_X509(nullptr, &at, der.size());
  if (certificate == nullptr) {
    openssl::last_error();
    return untrusted(where, "found no certificate in DER form");
  }
  Certificate result = shared(certificate);
  if (at != end) return untrusted(where, "found bytes behind a certificate");
  return result;
}

std::string Certificate::der() const {
  unsigned char* bytes = nullptr;
  const int size = i2d_X509(handle_.get(), &bytes);
  if (size < 0) return {};
  std::string der(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  return der;
}

std::string Certificate::fingerprint() const { return sha256_hex(der()); }

std::string Certificate::subject() const {
  const openssl::Bio bio = openssl::memory_writer();
  X509_NAME_print_ex(bio.get(), X509_get_subject_name(handle_.get()), 0, XN_FLAG_RFC2253);
  return quote(openssl::written(bio));
}

Result<PublicKey> Certificate::public_key() const {
  const std::string where = "certificate " + subject();
  EVP_PKEY* key = X509_get_pubkey(handle_.get());
  if (key == nullptr) {
    openssl::last_error();
    return make_error(ErrorKind::kUnverifiable, "certificate", where + ": found no readable key");
  }
  return PublicKey::adopt({key, EVP_PKEY_free}, where);
}

Result<std::vector<Certificate>> read_certificates(const std::filesystem::path& path,
                                                   ErrorKind kind) {
  auto pem = read_file(path, kMaxPemFile, "certificate");
  if (!pem.ok()) {
    Error error = std::move(pem).error();
    error.kind = kind;
    return error;
  }
  const openssl::Bio bio = openssl::memory_reader(*pem);
  std::vector<Certificate> certificates;
  while (X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    certificates.push_back(shared(certificate));
  }
  // The end of the file is "no start line" as well; a broken block is another error.
  const unsigned long code = ERR_peek_last_error();
  const bool ended =
      ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
  openssl::last_error();
  if (certificates.empty() || !ended) {
    return make_error(kind, "certificate",
                      path.string() + ": found " +
                          (certificates.empty() ? "no certificate" : "a damaged certificate") +
                          ", expected a PEM file with blocks CERTIFICATE");
  }
  return certificates;
}

Result<Certificate> check_chain(const std::vector<Certificate>& chain,
                                const std::vector<Certificate>& roots, std::time_t now,
                                std::string_view where) {
  if (chain.empty() || chain.size() > kMaxChain) {
    return untrusted(where, "found " + std::to_string(chain.size()) +
                                " certificates, expected 1 to " + std::to_string(kMaxChain));
  }
  const Store store(X509_STORE_new());
  const StoreContext context(X509_STORE_CTX_new());
  const openssl::CertificateStack others(sk_X509_new_null());
  if (store == nullptr || context == nullptr || others == nullptr) return internal("check chain");
  for (const Certificate& root : roots) {
    if (X509_STORE_add_cert(store.get(), root.handle()) != 1) return internal("check chain");
  }
  for (const Certificate& certificate : chain) {
    if (sk_X509_push(others.get(), certificate.handle()) == 0) return internal("check chain");
  }
  if (X509_STORE_CTX_init(context.get(), store.get(), chain.front().handle(), others.get()) != 1) {
    return internal("check chain");
  }
  X509_VERIFY_PARAM* rules = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_flags(rules, X509_V_FLAG_PARTIAL_CHAIN);
  X509_VERIFY_PARAM_set_time(rules, now);
  X509_VERIFY_PARAM_set_depth(rules, static_cast<int>(kMaxChain));
  X509_VERIFY_PARAM_set_auth_level(rules, kSecurityLevel);
  if (X509_verify_cert(context.get()) != 1) {
    const int code = X509_STORE_CTX_get_error(context.get());
    X509* culprit = X509_STORE_CTX_get_current_cert(context.get());
    std::string title = "certificate chain";
    if (culprit != nullptr && X509_up_ref(culprit) == 1) {
      title = "certificate " + shared(culprit).subject();
    }
    openssl::last_error();
    return untrusted(where, title + ": " + X509_verify_cert_error_string(code));
  }
  LLMPATCH_TRY(check_usage(chain.front(), where));
  STACK_OF(X509)* path = X509_STORE_CTX_get0_chain(context.get());
  X509* root = sk_X509_value(path, sk_X509_num(path) - 1);
  if (root == nullptr || X509_up_ref(root) != 1) return internal("check chain");
  return shared(root);
}

}  // namespace llmpatch
