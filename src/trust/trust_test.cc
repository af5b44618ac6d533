#include "trust/trust.h"

#include "trust/test_signing.h"

namespace llmpatch {
namespace {

TEST(MatchesPattern, NamesAndStars) {
  EXPECT_TRUE(matches_pattern("refuse", "refuse"));
  EXPECT_FALSE(matches_pattern("refuse", "refuse2"));
  EXPECT_FALSE(matches_pattern("refuse", "refus"));
  EXPECT_TRUE(matches_pattern("*", "anything"));
  EXPECT_TRUE(matches_pattern("gender-*", "gender-bias"));
  EXPECT_TRUE(matches_pattern("gender-*", "gender-"));
  EXPECT_FALSE(matches_pattern("gender-*", "gender"));
  EXPECT_TRUE(matches_pattern("a*b*c", "a-b-b-c"));
  EXPECT_FALSE(matches_pattern("a*b*c", "a-c-b"));
  EXPECT_FALSE(matches_pattern("", "x"));
  EXPECT_FALSE(matches_pattern("a.c", "abc")) << "a dot is a dot";
  const std::string stars(200, '*');
  EXPECT_FALSE(matches_pattern(stars + "x", std::string(200, 'a'))) << "and ends soon";
}

class Policy : public testing::Test {
 protected:
  void SetUp() override {
    write_raw(directory_ / "vendor.pub", key_.pem());
    const openssl::Bio bio = openssl::memory_writer();
    PEM_write_bio_X509(bio.get(), root_.handle());
    write_raw(directory_ / "ca.pem", openssl::written(bio));
  }
  Result<Trust> read(const std::string& text) {
    write_raw(directory_ / "trust.json", text);
    return read_trust_policy(directory_ / "trust.json");
  }
  void refuse(const std::string& text, std::string_view part) {
    expect_error(read(text), ErrorKind::kUnverifiable, part);
  }

  TestDirectory directory_;
  const PublicKey key_ = PrivateKey::generate()->public_key();
  const Certificate root_ = issue(authority("root")).certificate;
};

TEST_F(Policy, NamesKeysAndCertificatesBesideIt) {
  const std::string hint(64, 'e');
  const auto trust = read(R"({"schema": 1, "rules": [
      {"patches": ["refuse", "gender-*"], "keys": ["vendor.pub", ")" +
                          hint + R"("]},
      {"patches": ["*"], "certificates": ["ca.pem"]}]})");
  ASSERT_TRUE(trust.ok()) << trust.error().to_string();
  ASSERT_EQ(trust->keys.size(), 1u);
  EXPECT_EQ(trust->keys[0].hint(), key_.hint());
  ASSERT_EQ(trust->roots.size(), 1u);

  const Signer vendor{key_.hint(), "", ""}, named{hint, "", ""};
  const Signer certified{std::string(64, '0'), "\"CN=x\"", root_.fingerprint()};
  const Signer nobody{std::string(64, '0'), "", ""};
  EXPECT_TRUE(check_rules(*trust, vendor, "refuse").ok());
  EXPECT_TRUE(check_rules(*trust, named, "gender-bias").ok());
  EXPECT_TRUE(check_rules(*trust, certified, "anything").ok());
  expect_error(check_rules(*trust, vendor, "anything"), ErrorKind::kUntrusted, "no rule");
  expect_error(check_rules(*trust, nobody, "refuse"), ErrorKind::kUntrusted, "no rule");
  // A key's rule says nothing about a certificate of the same key.
  expect_error(check_rules(*trust, {key_.hint(), "\"CN=x\"", std::string(64, '1')}, "refuse"),
               ErrorKind::kUntrusted, "no rule");
}

TEST_F(Policy, WithoutRulesEveryKeyMaySignEverything) {
  EXPECT_TRUE(check_rules({}, {std::string(64, '0'), "", ""}, "refuse").ok());
}

TEST_F(Policy, WhatItCannotMeanIsRefused) {
  const auto rule = [](const std::string& text) {
    return R"({"schema": 1, "rules": [)" + text + "]}";
  };
  refuse("", "trust.json");
  refuse("[]", "expected an object");
  refuse(R"({"rules": []})", "schema");
  refuse(R"({"schema": 2, "rules": []})", "schema");
  refuse(R"({"schema": 1, "rules": []})", "rules");
  refuse(R"({"schema": 1, "rules": [], "more": 1})", "more");
  refuse(R"({"schema": 1, "schema": 1, "rules": []})", "duplicate");
  refuse(rule("7"), "expected an object");
  refuse(rule("{}"), "patches");
  refuse(rule(R"({"patches": ["*"]})"), "rules[0]: expected patches, and keys");
  refuse(rule(R"({"patches": [], "keys": ["vendor.pub"]})"), "expected patches");
  refuse(rule(R"({"patches": "*", "keys": ["vendor.pub"]})"), "list");
  refuse(rule(R"({"patches": ["*"], "keys": [1]})"), "strings");
  refuse(rule(R"({"patches": ["../*"], "keys": ["vendor.pub"]})"), "patch names");
  refuse(rule(R"({"patches": ["*"], "keys": ["gone.pub"]})"), "gone.pub");
  refuse(rule(R"({"patches": ["*"], "keys": ["ca.pem"]})"), "no public key");
  refuse(rule(R"({"patches": ["*"], "certificates": ["vendor.pub"]})"), "no certificate");
  refuse(rule(R"({"patches": ["*"], "keys": ["vendor.pub"], "until": 1})"), "until");
  expect_error(read_trust_policy(directory_ / "gone.json"), ErrorKind::kUnverifiable, "gone.json");
}

}  // namespace
}  // namespace llmpatch
