// What the tests of this room share: keys of every kind, certificates of every fault, and a small
// patch as files in memory.
#pragma once

#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <string>

#include "patch/patch.h"
#include "patch/test_patch.h"
#include "trust/certificate.h"
#include "trust/key.h"
#include "trust/openssl.h"
#include "trust/sign.h"

namespace llmpatch {

// The moment the certificates of tests are made for: 2027-01-01T00:00:00Z.
inline constexpr std::time_t kTestTime = 1798761600;
inline constexpr std::time_t kDay = 24 * 3600;

// A new key of any kind: an elliptic curve by OpenSSL's name, or "ED25519".
inline openssl::Key new_key(const std::string& kind) {
  openssl::Key key(kind == "ED25519" ? EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")
                                     : EVP_EC_gen(kind.c_str()));
  EXPECT_NE(key, nullptr) << kind;
  return key;
}

inline std::string public_pem(const openssl::Key& key) {
  const openssl::Bio bio = openssl::memory_writer();
  EXPECT_EQ(PEM_write_bio_PUBKEY(bio.get(), key.get()), 1);
  return openssl::written(bio);
}

inline std::string private_pem(const openssl::Key& key) {
  const openssl::Bio bio = openssl::memory_writer();
  EXPECT_EQ(
      PEM_write_bio_PKCS8PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr),
      1);
  return openssl::written(bio);
}

// An ECDSA signature made by OpenSSL alone, with any hash.
inline std::string raw_signature(const openssl::Key& key, const EVP_MD* hash,
                                 std::string_view message) {
  const openssl::DigestContext context(EVP_MD_CTX_new());
  const auto* data = reinterpret_cast<const unsigned char*>(message.data());
  std::size_t size = 256;
  std::string signature(size, '\0');
  EXPECT_EQ(EVP_DigestSignInit(context.get(), nullptr, hash, nullptr, key.get()), 1);
  EXPECT_EQ(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                           data, message.size()),
            1);
  signature.resize(size);
  return signature;
}

inline PrivateKey private_key(const openssl::Key& key) {
  return PrivateKey::parse(private_pem(key), std::nullopt, "test").value();
}

// How a certificate of a test is made; the defaults are those of a good leaf.
struct CertificateOptions {
  std::string name = "leaf";
  std::time_t from = kTestTime - kDay, until = kTestTime + kDay;
  const char* constraints = "critical,CA:FALSE";
  const char* usage = "critical,digitalSignature";  // null: none
  const char* extended_usage = "codeSigning";       // null: none
};

inline CertificateOptions authority(const std::string& name) {
  CertificateOptions options;
  options.name = name;
  options.constraints = "critical,CA:TRUE";
  options.usage = "critical,keyCertSign";
  options.extended_usage = nullptr;
  return options;
}

// A certificate and its key.
struct Identity {
  openssl::Key key;
  Certificate certificate;
};

// A new certificate; self-signed without an issuer.
inline Identity issue(const CertificateOptions& options, const Identity* issuer = nullptr,
                      const char* curve = "P-256") {
  openssl::Key key = new_key(curve);
  const std::shared_ptr<X509> made(X509_new(), X509_free);
  X509* x = made.get();
  static long serial = 0;
  X509_set_version(x, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
  ASN1_TIME_set(X509_getm_notBefore(x), options.from);
  ASN1_TIME_set(X509_getm_notAfter(x), options.until);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(options.name.c_str()), -1, -1,
                             0);
  X509_set_issuer_name(x,
                       X509_get_subject_name(issuer != nullptr ? issuer->certificate.handle() : x));
  X509_set_pubkey(x, key.get());
  const auto extend = [&](int id, const char* value) {
    if (value == nullptr) return;
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, id, value);
    EXPECT_NE(extension, nullptr) << value;
    X509_add_ext(x, extension, -1);
    X509_EXTENSION_free(extension);
  };
  extend(NID_basic_constraints, options.constraints);
  extend(NID_key_usage, options.usage);
  extend(NID_ext_key_usage, options.extended_usage);
  EXPECT_GT(X509_sign(x, issuer != nullptr ? issuer->key.get() : key.get(), EVP_sha256()), 0);
  return {std::move(key), Certificate(made)};
}

inline PatchFiles small_files() {
  Patch patch = small_patch();
  patch.card = small_card();
  return patch_to_files(patch).value();
}

}  // namespace llmpatch
