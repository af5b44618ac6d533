#include "trust/tuf_key.h"

#include "base/hex.h"
#include "base/sha256.h"
#include "trust/canonical_json.h"
#include "trust/openssl.h"
#include "trust/strict_json.h"

namespace llmpatch {
namespace {

constexpr const char* kEcdsa = "ecdsa";
constexpr const char* kEcdsaScheme = "ecdsa-sha2-nistp256";
constexpr const char* kEd25519 = "ed25519";
constexpr std::size_t kEd25519Bytes = 32;

bool verify_ed25519(std::string_view key, std::string_view message, std::string_view signature) {
  const auto bytes = [](std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
  };
  const openssl::Key parsed(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes(key), key.size()));
  const openssl::DigestContext context(EVP_MD_CTX_new());
  const bool valid =
      parsed != nullptr && context != nullptr &&
      EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, parsed.get()) == 1 &&
      EVP_DigestVerify(context.get(), bytes(signature), signature.size(), bytes(message),
                       message.size()) == 1;
  if (!valid) openssl::last_error();
  return valid;
}

// A text member of `object`, which may be missing in none of them.
Result<std::string> member(const Json& object, const char* name, std::string_view where) {
  if (!object.is_object() || !object.contains(name)) {
    return untrusted(where, std::string("found no member ") + name);
  }
  return text_of(object[name], std::string(where) + ": " + name);
}

}  // namespace

Result<TufKey> TufKey::parse(const Json& json, std::string_view where) {
  LLMPATCH_ASSIGN(const std::string type, member(json, "keytype", where));
  LLMPATCH_ASSIGN(const std::string scheme, member(json, "scheme", where));
  if (!json.contains("keyval")) return untrusted(where, "found no member keyval");
  LLMPATCH_ASSIGN(const std::string text, member(json["keyval"], "public", where));
  LLMPATCH_ASSIGN(const std::string canonical, canonical_json(json, where));
  TufKey key;
  key.json_ = json;
  key.id_ = sha256_hex(canonical);
  key.identity_ = key.id_;
  if ((type == kEcdsa || type == kEcdsaScheme) && scheme == kEcdsaScheme) {
    auto parsed = PublicKey::parse(text, where);
    if (!parsed.ok()) return as_untrusted(std::move(parsed).error());
    if (!parsed->is_p256()) return untrusted(where, "found another curve, expected P-256");
    key.identity_ = parsed->hint();
    key.ecdsa_ = std::move(parsed).value();
  } else if (type == kEd25519 && scheme == kEd25519) {
    const auto bytes = hex_decode(text);
    if (!bytes || bytes->size() != kEd25519Bytes) {
      return untrusted(where, "found no Ed25519 key, expected 64 hexadecimal digits");
    }
    key.identity_ = text;
    key.ed25519_ = *bytes;
  }
  return key;
}

Result<TufKey> TufKey::of(const PublicKey& key) {
  if (!key.is_p256()) {
    return make_error(ErrorKind::kUnsupported, "channel",
                      "key " + key.hint() + ": found another curve, expected P-256",
                      "llmpatch keygen makes such keys");
  }
  return parse({{"keytype", kEcdsa}, {"scheme", kEcdsaScheme}, {"keyval", {{"public", key.pem()}}}},
               "key " + key.hint());
}

bool TufKey::verify(std::string_view message, std::string_view signature) const {
  if (ecdsa_) return ecdsa_->verify(message, signature);
  return !ed25519_.empty() && verify_ed25519(ed25519_, message, signature);
}

}  // namespace llmpatch
