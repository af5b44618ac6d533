#include "trust/key.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rand.h>

#include <array>
#include <cstring>

#include "base/file.h"
#include "base/quote.h"
#include "base/sha256.h"
#include "trust/openssl.h"
#include "trust/pem.h"

namespace llmpatch {
namespace {

constexpr std::uint64_t kMaxKeyFile = 64 * 1024;
constexpr int kDerivations = 600'000;  // rounds of PBKDF2 with HMAC-SHA-256

// What the blocks of PEM are called that keys come in.
constexpr std::string_view kPublic = "PUBLIC KEY";
constexpr std::string_view kPkcs8 = "PRIVATE KEY";
constexpr std::string_view kPkcs8Encrypted = "ENCRYPTED PRIVATE KEY";
constexpr std::string_view kSec1 = "EC PRIVATE KEY";
constexpr std::string_view kRsa = "RSA PRIVATE KEY", kDsa = "DSA PRIVATE KEY";

using Pkcs8 = std::unique_ptr<PKCS8_PRIV_KEY_INFO, openssl::Free<PKCS8_PRIV_KEY_INFO_free>>;
using EncryptedPkcs8 = std::unique_ptr<X509_SIG, openssl::Free<X509_SIG_free>>;

struct Curve {
  const char* name;  // OpenSSL's
  const EVP_MD* (*hash)();
};
constexpr std::array<Curve, 3> kCurves{
    {{SN_X9_62_prime256v1, EVP_sha256}, {SN_secp384r1, EVP_sha384}, {SN_secp521r1, EVP_sha512}}};

// The curve by its name, not by its size: secp256k1 has 256 bits too. A key that spells out the
// parameters of its curve is none of these, even where they are the same.
const Curve* find_curve(const EVP_PKEY* key) {
  std::array<char, 64> name{};
  int is_explicit = 0;
  EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &is_explicit);
  if (is_explicit != 0 || EVP_PKEY_is_a(key, "EC") != 1 ||
      EVP_PKEY_get_group_name(key, name.data(), name.size(), nullptr) != 1) {
    return nullptr;
  }
  for (const Curve& curve : kCurves) {
    if (std::strcmp(curve.name, name.data()) == 0) return &curve;
  }
  return nullptr;
}

Error unknown_kind(const std::string& found, ErrorKind kind, std::string_view where) {
  return make_error(kind, "key",
                    std::string(where) + ": found a key of type " + found +
                        ", expected one on the curve P-256, P-384 or P-521");
}

Error unknown_kind(const EVP_PKEY* key, ErrorKind kind, std::string_view where) {
  int is_explicit = 0;
  EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &is_explicit);
  if (is_explicit != 0) {
    return make_error(kind, "key",
                      std::string(where) +
                          ": found a key that spells out the parameters of its curve, expected "
                          "one that names P-256, P-384 or P-521");
  }
  std::array<char, 64> name{};
  const char* type = EVP_PKEY_get0_type_name(key);
  std::string found = type != nullptr ? type : "unknown";
  if (EVP_PKEY_get_group_name(key, name.data(), name.size(), nullptr) == 1) {
    found += std::string(" (") + name.data() + ")";
  }
  return unknown_kind(found, kind, where);
}

std::shared_ptr<EVP_PKEY> shared(openssl::Key key) { return {key.release(), EVP_PKEY_free}; }

// What OpenSSL calls for a passphrase. Without one it would ask on the terminal itself.
struct Passphrase {
  const std::optional<std::string>& text;
  bool asked = false;

  static int give(char* buffer, int size, int, void* data) {
    auto* self = static_cast<Passphrase*>(data);
    self->asked = true;
    if (!self->text || self->text->size() > static_cast<std::size_t>(size)) return -1;
    std::memcpy(buffer, self->text->data(), self->text->size());
    return static_cast<int>(self->text->size());
  }
};

// What `decode` makes of DER bytes; null unless it is of all of them.
template <class Decode>
auto from_der(const std::string& der, Decode decode) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const auto* end = at + der.size();
  auto object = decode(&at, static_cast<long>(der.size()));
  if (at != end) object.reset();
  return object;
}

openssl::Key read_pkcs8(const std::string& der) {
  const Pkcs8 info = from_der(der, [](const unsigned char** at, long size) {
    return Pkcs8(d2i_PKCS8_PRIV_KEY_INFO(nullptr, at, size));
  });
  return openssl::Key(info == nullptr ? nullptr : EVP_PKCS82PKEY(info.get()));
}

openssl::Key read_encrypted_pkcs8(const std::string& der, Passphrase& passphrase) {
  const EncryptedPkcs8 encrypted = from_der(der, [](const unsigned char** at, long size) {
    return EncryptedPkcs8(d2i_X509_SIG(nullptr, at, size));
  });
  if (encrypted == nullptr) return nullptr;
  passphrase.asked = true;
  if (!passphrase.text) return nullptr;
  const Pkcs8 info(PKCS8_decrypt(encrypted.get(), passphrase.text->data(),
                                 static_cast<int>(passphrase.text->size())));
  return openssl::Key(info == nullptr ? nullptr : EVP_PKCS82PKEY(info.get()));
}

// The form before PKCS#8, which may be encrypted as its headers say.
openssl::Key read_sec1(PemBlock block, Passphrase& passphrase) {
  if (!block.headers.empty()) {
    EVP_CIPHER_INFO cipher{};
    long size = static_cast<long>(block.der.size());
    if (PEM_get_EVP_CIPHER_INFO(block.headers.data(), &cipher) != 1 ||
        PEM_do_header(&cipher, reinterpret_cast<unsigned char*>(block.der.data()), &size,
                      Passphrase::give, &passphrase) != 1) {
      return nullptr;
    }
    block.der.resize(static_cast<std::size_t>(size));
  }
  return from_der(block.der, [](const unsigned char** at, long size) {
    return openssl::Key(d2i_PrivateKey(EVP_PKEY_EC, nullptr, at, size));
  });
}

Error internal(const char* action) {
  return make_error(ErrorKind::kInternal, "key",
                    std::string(action) + ": OpenSSL: " + openssl::last_error());
}

}  // namespace

Result<PublicKey> PublicKey::parse(std::string_view pem, std::string_view where) {
  // Whoever put two into a file means both, and only one would be believed.
  if (count_pem_blocks(pem, kPublic) > 1) {
    return make_error(ErrorKind::kUnverifiable, "key",
                      std::string(where) + ": found several public keys, expected one a file");
  }
  const auto block = find_pem_block(pem, {kPublic});
  openssl::Key key;
  if (block && block->headers.empty()) {
    key = from_der(block->der, [](const unsigned char** at, long size) {
      return openssl::Key(d2i_PUBKEY(nullptr, at, size));
    });
  }
  if (key == nullptr) {
    openssl::last_error();
    return make_error(ErrorKind::kUnverifiable, "key",
                      std::string(where) +
                          ": found no public key, expected a PEM file with a block "
                          "PUBLIC KEY",
                      "llmpatch keygen makes NAME.key, which is secret, and NAME.pub");
  }
  return adopt(shared(std::move(key)), where);
}

Result<PublicKey> PublicKey::read(const std::filesystem::path& path, ErrorKind kind) {
  auto pem = read_file(path, kMaxKeyFile, "public key");
  if (!pem.ok()) {
    Error error = std::move(pem).error();
    if (kind == ErrorKind::kUnverifiable) error.kind = kind;
    return error;
  }
  auto key = parse(*pem, path.string());
  if (key.ok() || key.error().kind != ErrorKind::kUnverifiable) return key;
  Error error = std::move(key).error();
  error.kind = kind;
  return error;
}

Result<PublicKey> PublicKey::adopt(std::shared_ptr<EVP_PKEY> key, std::string_view where) {
  if (find_curve(key.get()) == nullptr) {
    return unknown_kind(key.get(), ErrorKind::kUnverifiable, where);
  }
  // One PEM text, and so one hint, for the same key.
  EVP_PKEY_set_utf8_string_param(key.get(), OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                 OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_UNCOMPRESSED);
  const openssl::Bio bio = openssl::memory_writer();
  if (PEM_write_bio_PUBKEY(bio.get(), key.get()) != 1) return internal("write public key");
  PublicKey result;
  result.key_ = std::move(key);
  result.pem_ = openssl::written(bio);
  result.hint_ = sha256_hex(result.pem_);
  return result;
}

bool PublicKey::is_p256() const {
  const Curve* curve = find_curve(key_.get());
  return curve != nullptr && std::strcmp(curve->name, SN_X9_62_prime256v1) == 0;
}

bool PublicKey::verify(std::string_view message, std::string_view signature) const {
  const openssl::DigestContext context(EVP_MD_CTX_new());
  const bool valid =
      context != nullptr &&
      EVP_DigestVerifyInit(context.get(), nullptr, find_curve(key_.get())->hash(), nullptr,
                           key_.get()) == 1 &&
      EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()),
                       signature.size(), reinterpret_cast<const unsigned char*>(message.data()),
                       message.size()) == 1;
  if (!valid) openssl::last_error();
  return valid;
}

Result<PrivateKey> PrivateKey::generate() {
  openssl::Key key(EVP_EC_gen("P-256"));
  if (key == nullptr) return internal("generate");
  return adopt(shared(std::move(key)), "new key");
}

Result<PrivateKey> PrivateKey::parse(std::string_view pem, const std::optional<std::string>& text,
                                     std::string_view where) {
  Passphrase passphrase{text};
  openssl::Key key;
  if (auto block = find_pem_block(pem, {kPkcs8, kPkcs8Encrypted, kSec1, kRsa, kDsa})) {
    if (block->label == kRsa || block->label == kDsa) {
      return unknown_kind(block->label.substr(0, 3), ErrorKind::kUnsupported, where);
    }
    if (block->label == kSec1) {
      key = read_sec1(std::move(*block), passphrase);
    } else if (block->headers.empty()) {
      key = block->label == kPkcs8 ? read_pkcs8(block->der)
                                   : read_encrypted_pkcs8(block->der, passphrase);
    }
  }
  if (key != nullptr) return adopt(shared(std::move(key)), where);
  openssl::last_error();
  if (passphrase.asked && !text) {
    return make_error(ErrorKind::kInvalidArgument, "key",
                      std::string(where) + ": found an encrypted key and no passphrase",
                      "say --passphrase-file FILE");
  }
  if (passphrase.asked) {
    return make_error(ErrorKind::kDenied, "key",
                      std::string(where) + ": the passphrase does not decrypt it");
  }
  return make_error(ErrorKind::kCorrupt, "key",
                    std::string(where) +
                        ": found no private key, expected a PEM file with a block "
                        "PRIVATE KEY or EC PRIVATE KEY");
}

Result<PrivateKey> PrivateKey::adopt(std::shared_ptr<EVP_PKEY> key, std::string_view where) {
  if (find_curve(key.get()) == nullptr) {
    return unknown_kind(key.get(), ErrorKind::kUnsupported, where);
  }
  LLMPATCH_ASSIGN(PublicKey public_key, PublicKey::adopt(key, where));
  PrivateKey result(std::move(public_key));
  result.key_ = std::move(key);
  return result;
}

Result<std::string> PrivateKey::to_pem(const std::string& passphrase) const {
  const openssl::Bio bio = openssl::memory_writer();
  if (passphrase.empty()) {
    if (PEM_write_bio_PKCS8PrivateKey(bio.get(), key_.get(), nullptr, nullptr, 0, nullptr,
                                      nullptr) != 1) {
      return internal("write private key");
    }
    return openssl::written(bio);
  }
  // By hand, since OpenSSL's own default is 2048 rounds.
  std::array<unsigned char, 16> salt{};
  const Pkcs8 info(EVP_PKEY2PKCS8(key_.get()));
  if (info == nullptr || RAND_bytes(salt.data(), salt.size()) != 1) return internal("encrypt key");
  X509_ALGOR* method = PKCS5_pbe2_set_iv(EVP_aes_256_cbc(), kDerivations, salt.data(), salt.size(),
                                         nullptr, NID_hmacWithSHA256);
  const EncryptedPkcs8 encrypted(
      method == nullptr ? nullptr
                        : PKCS8_set0_pbe(passphrase.data(), static_cast<int>(passphrase.size()),
                                         info.get(), method));
  if (encrypted == nullptr || PEM_write_bio_PKCS8(bio.get(), encrypted.get()) != 1) {
    return internal("encrypt key");
  }
  return openssl::written(bio);
}

Result<std::string> PrivateKey::sign(std::string_view message) const {
  const openssl::DigestContext context(EVP_MD_CTX_new());
  const auto* data = reinterpret_cast<const unsigned char*>(message.data());
  std::size_t size = 0;
  if (context == nullptr ||
      EVP_DigestSignInit(context.get(), nullptr, find_curve(key_.get())->hash(), nullptr,
                         key_.get()) != 1 ||
      EVP_DigestSign(context.get(), nullptr, &size, data, message.size()) != 1) {
    return internal("sign");
  }
  std::string signature(size, '\0');
  if (EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, data,
                     message.size()) != 1) {
    return internal("sign");
  }
  signature.resize(size);
  return signature;
}

bool is_encrypted_key(std::string_view pem) {
  return pem.find("-----BEGIN ENCRYPTED PRIVATE KEY-----") != std::string_view::npos ||
         pem.find("Proc-Type: 4,ENCRYPTED") != std::string_view::npos;
}

}  // namespace llmpatch
