#include "trust/certificate.h"

#include "trust/test_signing.h"

namespace llmpatch {
namespace {

// A root, and what it issues.
class Chain : public testing::Test {
 protected:
  Result<Certificate> check(const CertificateOptions& leaf, std::time_t now = kTestTime) {
    return check_chain({issue(leaf, &root_).certificate}, {root_.certificate}, now, "sig");
  }

  const Identity root_ = issue(authority("root"));
};

TEST_F(Chain, LeadsToTheRoot) {
  const auto reached = check({});
  ASSERT_TRUE(reached.ok()) << reached.error().to_string();
  EXPECT_EQ(reached->fingerprint(), root_.certificate.fingerprint());
}

TEST_F(Chain, OneUsageIsEnoughAndAWrongOneIsTooMuch) {
  CertificateOptions leaf;
  leaf.extended_usage = nullptr;
  EXPECT_TRUE(check(leaf).ok());
  leaf.usage = nullptr;
  expect_error(check(leaf), ErrorKind::kUntrusted, "neither KeyUsage nor ExtendedKeyUsage");
  leaf.extended_usage = "codeSigning";
  EXPECT_TRUE(check(leaf).ok());
  leaf.extended_usage = "clientAuth";
  expect_error(check(leaf), ErrorKind::kUntrusted, "without codeSigning");
  leaf.usage = "digitalSignature";
  expect_error(check(leaf), ErrorKind::kUntrusted, "without codeSigning");
  leaf = {};
  leaf.usage = "keyAgreement";
  expect_error(check(leaf), ErrorKind::kUntrusted, "without digitalSignature");
}

TEST_F(Chain, TheLeafMustBeValidNow) {
  EXPECT_TRUE(check({}, kTestTime + kDay - 60).ok());
  expect_error(check({}, kTestTime + kDay + 60), ErrorKind::kUntrusted, "expired");
  expect_error(check({}, kTestTime - kDay - 60), ErrorKind::kUntrusted, "not yet valid");
}

TEST_F(Chain, TheRootMustBeValidNow) {
  CertificateOptions old = authority("old root");
  old.until = kTestTime - 60;
  const Identity root = issue(old);
  const Identity leaf = issue({}, &root);
  expect_error(check_chain({leaf.certificate}, {root.certificate}, kTestTime, "sig"),
               ErrorKind::kUntrusted, "old root");
}

TEST_F(Chain, AnotherRootIsNotReached) {
  const Identity other = issue(authority("root"));  // of the same name
  const Identity leaf = issue({}, &root_);
  expect_error(check_chain({leaf.certificate}, {other.certificate}, kTestTime, "sig"),
               ErrorKind::kUntrusted, "certificate");
  // Nor is the root that the signer brings along a root of ours.
  expect_error(
      check_chain({leaf.certificate, root_.certificate}, {other.certificate}, kTestTime, "sig"),
      ErrorKind::kUntrusted, "certificate");
  expect_error(check_chain({leaf.certificate}, {}, kTestTime, "sig"), ErrorKind::kUntrusted,
               "certificate");
}

TEST_F(Chain, GoesThroughIntermediatesThatMayIssue) {
  const Identity middle = issue(authority("middle"), &root_);
  const Identity leaf = issue({}, &middle);
  EXPECT_TRUE(
      check_chain({leaf.certificate, middle.certificate}, {root_.certificate}, kTestTime, "sig")
          .ok());
  expect_error(check_chain({leaf.certificate}, {root_.certificate}, kTestTime, "sig"),
               ErrorKind::kUntrusted, "issuer");
  // An intermediate may be trusted by itself.
  EXPECT_TRUE(check_chain({leaf.certificate}, {middle.certificate}, kTestTime, "sig").ok());

  CertificateOptions options;
  options.name = "impostor";
  const Identity impostor = issue(options, &root_);  // a leaf that issues
  const Identity forged = issue({}, &impostor);
  expect_error(check_chain({forged.certificate, impostor.certificate}, {root_.certificate},
                           kTestTime, "sig"),
               ErrorKind::kUntrusted, "CA");
}

TEST_F(Chain, IsLimited) {
  const Certificate leaf = issue({}, &root_).certificate;
  const std::vector<Certificate> many(kMaxChain + 1, leaf);
  expect_error(check_chain(many, {root_.certificate}, kTestTime, "sig"), ErrorKind::kUntrusted,
               "9 certificates");
  expect_error(check_chain({}, {root_.certificate}, kTestTime, "sig"), ErrorKind::kUntrusted,
               "0 certificates");
}

TEST(Certificate, ComesBackFromDer) {
  CertificateOptions options;
  options.name = "Vendor \x1b[31m";
  const Certificate made = issue(options).certificate;
  const auto read = Certificate::from_der(made.der(), "sig");
  ASSERT_TRUE(read.ok()) << read.error().to_string();
  EXPECT_EQ(read->fingerprint(), made.fingerprint());
  EXPECT_EQ(read->subject().find('\x1b'), std::string::npos) << "safe for a terminal";
  EXPECT_NE(read->subject().find("CN=Vendor"), std::string::npos) << read->subject();
  expect_error(Certificate::from_der(made.der() + "x", "sig"), ErrorKind::kUntrusted, "behind");
  for (std::size_t size : {0U, 1U, 10U, 100U}) {
    expect_error(Certificate::from_der(made.der().substr(0, size), "sig"), ErrorKind::kUntrusted,
                 "no certificate");
  }
}

TEST(Certificate, ItsKeyMustBeOneThatSigns) {
  EXPECT_TRUE(issue({}, nullptr, "P-384").certificate.public_key().ok());
  expect_error(issue({}, nullptr, "secp256k1").certificate.public_key(), ErrorKind::kUnverifiable,
               "secp256k1");
}

TEST(ReadCertificates, EveryOneOfAFileOrNone) {
  TestDirectory directory;
  const openssl::Bio bio = openssl::memory_writer();
  const Certificate a = issue(authority("a")).certificate, b = issue(authority("b")).certificate;
  ASSERT_EQ(PEM_write_bio_X509(bio.get(), a.handle()), 1);
  ASSERT_EQ(PEM_write_bio_X509(bio.get(), b.handle()), 1);
  const std::string pem = openssl::written(bio);
  write_raw(directory / "two.pem", pem);
  const auto read = read_certificates(directory / "two.pem", ErrorKind::kUnverifiable);
  ASSERT_TRUE(read.ok()) << read.error().to_string();
  ASSERT_EQ(read->size(), 2u);
  EXPECT_EQ((*read)[1].fingerprint(), b.fingerprint());

  const auto refuse = [&](const std::string& text, const char* part) {
    write_raw(directory / "bad.pem", text);
    expect_error(read_certificates(directory / "bad.pem", ErrorKind::kUnverifiable),
                 ErrorKind::kUnverifiable, part);
  };
  refuse("", "no certificate");
  refuse("hello", "no certificate");
  refuse(pem.substr(0, pem.size() - 100), "damaged");
  expect_error(read_certificates(directory / "gone.pem", ErrorKind::kCorrupt), ErrorKind::kCorrupt,
               "gone.pem");
}

}  // namespace
}  // namespace llmpatch
