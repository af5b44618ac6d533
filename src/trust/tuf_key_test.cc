#include "trust/tuf_key.h"

#include "base/hex.h"
#include "trust/test_signing.h"

namespace llmpatch {
namespace {

Json key_json(const std::string& type, const std::string& scheme, const std::string& open) {
  return {{"keytype", type}, {"scheme", scheme}, {"keyval", {{"public", open}}}};
}

TEST(TufKey, P256Verifies) {
  const PrivateKey key = PrivateKey::generate().value();
  const TufKey open = TufKey::of(key.public_key()).value();
  const std::string signature = key.sign("message").value();
  EXPECT_TRUE(open.verify("message", signature));
  EXPECT_FALSE(open.verify("massage", signature));
  EXPECT_EQ(open.identity(), key.public_key().hint());
  // Older metadata calls the type like the scheme.
  const auto old = TufKey::parse(
      key_json("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", key.public_key().pem()), "key");
  EXPECT_TRUE(old->verify("message", signature));
  EXPECT_NE(old->id(), open.id());
  EXPECT_EQ(old->identity(), open.identity());
}

// The first test of RFC 8032, section 7.1.
TEST(TufKey, Ed25519Verifies) {
  const TufKey key =
      TufKey::parse(key_json("ed25519", "ed25519",
                             "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"),
                    "key")
          .value();
  std::string signature =
      hex_decode(
          "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39"
          "701cf9b46bd25bf5f0595bbe24655141438e7a100b")
          .value();
  EXPECT_TRUE(key.verify("", signature));
  EXPECT_FALSE(key.verify("x", signature));
  signature[0] ^= 1;
  EXPECT_FALSE(key.verify("", signature));
  EXPECT_FALSE(key.verify("", ""));
}

// printf '{"keytype":"ed25519","keyval":{"public":"%064d"},"scheme":"ed25519"}' 0 | sha256sum
TEST(TufKey, IsCalledByTheDigestOfItsObject) {
  const auto key = TufKey::parse(key_json("ed25519", "ed25519", std::string(64, '0')), "key");
  EXPECT_EQ(key->id(), "7f7373360bc914a5d4a7bd87711615178beb6cf52494fcc49082ec65ba62908c");
}

TEST(TufKey, RefusesWhatIsNotOfItsKind) {
  const std::string p384 = public_pem(new_key("P-384"));
  const auto refuse = [](const Json& json, const char* part) {
    expect_error(TufKey::parse(json, "key"), ErrorKind::kUntrusted, part);
  };
  refuse(key_json("ecdsa", "ecdsa-sha2-nistp256", p384), "expected P-256");
  refuse(key_json("ecdsa", "ecdsa-sha2-nistp256", "no PEM"), "found no public key");
  refuse(key_json("ed25519", "ed25519", "00"), "expected 64 hexadecimal digits");
  refuse(key_json("ed25519", "ed25519", std::string(64, 'G')), "expected 64 hexadecimal digits");
  refuse({{"keytype", "ed25519"}}, "found no member scheme");
  refuse({{"keytype", "ed25519"}, {"scheme", "ed25519"}, {"keyval", 1}}, "found no member public");
  refuse({{"keytype", 1}}, "expected a string");
  refuse("text", "found no member keytype");
  expect_error(TufKey::of(PublicKey::parse(p384, "key").value()), ErrorKind::kUnsupported,
               "expected P-256");
}

TEST(TufKey, AKindItDoesNotKnowVerifiesNothing) {
  const auto key = TufKey::parse(key_json("rsa", "rsassa-pss-sha256", "…"), "key");
  ASSERT_TRUE(key.ok());
  EXPECT_FALSE(key->verify("", ""));
}

}  // namespace
}  // namespace llmpatch
