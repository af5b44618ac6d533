#include "trust/key.h"

#include "base/sha256.h"
#include "trust/test_signing.h"

namespace llmpatch {
namespace {

TEST(PublicKey, ItsHintIsTheDigestOfItsPem) {
  const std::string pem = public_pem(new_key("P-256"));
  const auto key = PublicKey::parse(pem, "k");
  ASSERT_TRUE(key.ok()) << key.error().to_string();
  EXPECT_EQ(key->hint(), sha256_hex(pem));
  EXPECT_EQ(key->pem(), pem);
}

TEST(PublicKey, ACompressedPointIsTheSameKey) {
  const openssl::Key key = new_key("P-256");
  const std::string pem = public_pem(key);
  EVP_PKEY_set_utf8_string_param(key.get(), OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                 OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_COMPRESSED);
  const std::string compressed = public_pem(key);
  ASSERT_LT(compressed.size(), pem.size());
  EXPECT_EQ(PublicKey::parse(compressed, "k").value().hint(), sha256_hex(pem));
}

TEST(PublicKey, EachCurveSignsWithItsHashAndNoOther) {
  const std::pair<const char*, const EVP_MD*> curves[] = {
      {"P-256", EVP_sha256()}, {"P-384", EVP_sha384()}, {"P-521", EVP_sha512()}};
  for (const auto& [curve, own] : curves) {
    const openssl::Key key = new_key(curve);
    const PublicKey parsed = PublicKey::parse(public_pem(key), "k").value();
    for (const EVP_MD* hash : {EVP_sha256(), EVP_sha384(), EVP_sha512()}) {
      EXPECT_EQ(parsed.verify("text", raw_signature(key, hash, "text")), hash == own) << curve;
    }
    EXPECT_TRUE(parsed.verify("text", private_key(key).sign("text").value()));
    EXPECT_FALSE(parsed.verify("texT", private_key(key).sign("text").value()));
    EXPECT_FALSE(parsed.verify("text", ""));
    EXPECT_FALSE(parsed.verify("text", "0"));
  }
}

TEST(PublicKey, OtherKindsOfKeyAreRefused) {
  for (const char* kind : {"ED25519", "secp256k1", "brainpoolP256r1", "secp224r1"}) {
    const openssl::Key key = new_key(kind);
    expect_error(PublicKey::parse(public_pem(key), "k.pub"), ErrorKind::kUnverifiable, "k.pub");
    expect_error(PrivateKey::parse(private_pem(key), std::nullopt, "k.key"),
                 ErrorKind::kUnsupported, "P-256, P-384 or P-521");
  }
}

TEST(PublicKey, ACurveByItsParametersIsRefused) {
  const openssl::Key key = new_key("P-256");
  EVP_PKEY_set_utf8_string_param(key.get(), OSSL_PKEY_PARAM_EC_ENCODING, "explicit");
  const std::string pem = public_pem(key);
  ASSERT_GT(pem.size(), 300u) << "the parameters must be written out";
  expect_error(PublicKey::parse(pem, "k"), ErrorKind::kUnverifiable, "P-256");
}

TEST(PublicKey, WhatIsNoneIsRefused) {
  const std::string pem = public_pem(new_key("P-256"));
  const std::string secret = private_pem(new_key("P-256"));
  for (const std::string& text : {std::string(), std::string("hello"), pem.substr(0, 60),
                                  pem.substr(0, pem.size() / 2), secret}) {
    expect_error(PublicKey::parse(text, "k.pub"), ErrorKind::kUnverifiable, "no public key");
  }
}

TEST(PublicKey, AFileThatCannotBeReadIsUnverifiable) {
  TestDirectory directory;
  expect_error(PublicKey::read(directory / "missing.pub"), ErrorKind::kUnverifiable, "missing.pub");
  write_raw(directory / "large.pub", std::string(65537, '-'));
  expect_error(PublicKey::read(directory / "large.pub"), ErrorKind::kUnverifiable, "large.pub");
}

TEST(PrivateKey, ANewOneIsP256AndComesBackFromPem) {
  const PrivateKey key = PrivateKey::generate().value();
  const std::string pem = key.to_pem("").value();
  EXPECT_TRUE(pem.starts_with("-----BEGIN PRIVATE KEY-----\n")) << pem.substr(0, 40);
  EXPECT_FALSE(is_encrypted_key(pem));
  const PrivateKey again = PrivateKey::parse(pem, std::nullopt, "k").value();
  EXPECT_EQ(again.public_key().hint(), key.public_key().hint());
  EXPECT_TRUE(key.public_key().verify("text", again.sign("text").value()));
  EXPECT_NE(PrivateKey::generate().value().public_key().hint(), key.public_key().hint());

  const openssl::Bio bio = openssl::memory_reader(key.public_key().pem());
  const openssl::Key read(PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr));
  EXPECT_EQ(EVP_PKEY_get_bits(read.get()), 256);
}

TEST(PrivateKey, APassphraseIsNeededAndMustBeTheRightOne) {
  const PrivateKey key = PrivateKey::generate().value();
  const std::string pem = key.to_pem("correct horse").value();
  EXPECT_TRUE(is_encrypted_key(pem));
  EXPECT_EQ(PrivateKey::parse(pem, "correct horse", "k").value().public_key().hint(),
            key.public_key().hint());
  expect_error(PrivateKey::parse(pem, std::nullopt, "k"), ErrorKind::kInvalidArgument,
               "no passphrase");
  expect_error(PrivateKey::parse(pem, "battery staple", "k"), ErrorKind::kDenied, "passphrase");
  expect_error(PrivateKey::parse(pem, std::string(5000, 'x'), "k"), ErrorKind::kDenied,
               "passphrase");
}

TEST(PrivateKey, OlderFormsOfPemAreRead) {
  const openssl::Key key = new_key("P-256");
  const std::string hint = sha256_hex(public_pem(key));
  const openssl::Bio plain = openssl::memory_writer(), encrypted = openssl::memory_writer();
  ASSERT_EQ(PEM_write_bio_PrivateKey_traditional(plain.get(), key.get(), nullptr, nullptr, 0,
                                                 nullptr, nullptr),
            1);
  EXPECT_NE(openssl::written(plain).find("BEGIN EC PRIVATE KEY"), std::string::npos);
  EXPECT_EQ(
      PrivateKey::parse(openssl::written(plain), std::nullopt, "k").value().public_key().hint(),
      hint);
  ASSERT_EQ(PEM_write_bio_PrivateKey_traditional(encrypted.get(), key.get(), EVP_aes_128_cbc(),
                                                 reinterpret_cast<const unsigned char*>("secret"),
                                                 6, nullptr, nullptr),
            1);
  EXPECT_TRUE(is_encrypted_key(openssl::written(encrypted)));
  EXPECT_EQ(
      PrivateKey::parse(openssl::written(encrypted), "secret", "k").value().public_key().hint(),
      hint);
}

TEST(PrivateKey, WhatIsNoneIsCorrupt) {
  const std::string pem = private_pem(new_key("P-256"));
  for (const std::string& text :
       {std::string(), pem.substr(0, 100), public_pem(new_key("P-256"))}) {
    expect_error(PrivateKey::parse(text, std::nullopt, "k.key"), ErrorKind::kCorrupt,
                 "no private key");
  }
}

}  // namespace
}  // namespace llmpatch
