#include "trust/key.h"

#include "base/base64.h"
#include "base/sha256.h"
#include "trust/pem.h"
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

TEST(PublicKey, SeveralInOneFileAreRefused) {
  const std::string two = public_pem(new_key("P-256")) + public_pem(new_key("P-256"));
  expect_error(PublicKey::parse(two, "k.pub"), ErrorKind::kUnverifiable, "several public keys");
}

TEST(PublicKey, AFileForAnotherUseThanCheckingKeepsItsOwnError) {
  TestDirectory directory;
  expect_error(PublicKey::read(directory / "missing.pub", ErrorKind::kCorrupt),
               ErrorKind::kNotFound, "missing.pub");
  write_raw(directory / "none.pub", "x");
  expect_error(PublicKey::read(directory / "none.pub", ErrorKind::kCorrupt), ErrorKind::kCorrupt,
               "none.pub");
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

// `openssl ecparam -genkey` writes the curve before the key.
TEST(PrivateKey, OtherBlocksBeforeItArePassedOver) {
  const openssl::Key key = new_key("P-256");
  const openssl::Bio plain = openssl::memory_writer();
  ASSERT_EQ(PEM_write_bio_PrivateKey_traditional(plain.get(), key.get(), nullptr, nullptr, 0,
                                                 nullptr, nullptr),
            1);
  const std::string curve =
      "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
  const auto read = PrivateKey::parse(curve + openssl::written(plain), std::nullopt, "k");
  ASSERT_TRUE(read.ok()) << read.error().to_string();
  EXPECT_EQ(read->public_key().hint(), sha256_hex(public_pem(key)));
  expect_error(PrivateKey::parse(curve, std::nullopt, "k"), ErrorKind::kCorrupt, "no private key");
}

TEST(PrivateKey, TheOlderFormOfOtherKindsIsNamed) {
  for (const std::string kind : {"RSA", "DSA"}) {
    expect_error(PrivateKey::parse("-----BEGIN " + kind + " PRIVATE KEY-----\nMAA=\n-----END " +
                                       kind + " PRIVATE KEY-----\n",
                                   std::nullopt, "k"),
                 ErrorKind::kUnsupported, "a key of type " + kind + ", expected");
  }
}

TEST(PrivateKey, BytesBehindTheKeyAreRefused) {
  const openssl::Key key = new_key("P-256");
  const auto one_more = [](const std::string& pem, const std::string& label) {
    const std::string more = base64_encode(find_pem_block(pem, {label})->der + '\0');
    return "-----BEGIN " + label + "-----\n" + more + "\n-----END " + label + "-----\n";
  };
  expect_error(PublicKey::parse(one_more(public_pem(key), "PUBLIC KEY"), "k"),
               ErrorKind::kUnverifiable, "no public key");
  expect_error(PrivateKey::parse(one_more(private_pem(key), "PRIVATE KEY"), std::nullopt, "k"),
               ErrorKind::kCorrupt, "no private key");
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
