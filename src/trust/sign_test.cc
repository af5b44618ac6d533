#include "trust/sign.h"

#include "trust/statement.h"
#include "trust/test_signing.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

class Sign : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(write_patch_directory(small_files(), path_, Overwrite::kNo).ok());
  }
  std::string signature() { return read_patch_directory(path_).value()[kSignatureFile]; }

  TestDirectory directory_;
  const fs::path path_ = directory_ / "refuse";
  const SigningKey key_{PrivateKey::generate().value(), {}};
};

TEST_F(Sign, AddsOneFileThatVerifies) {
  const auto made = sign_patch(path_, key_, Overwrite::kNo);
  ASSERT_TRUE(made.ok()) << made.error().to_string();
  PatchFiles files = read_patch_directory(path_).value();
  EXPECT_EQ(made->files, files);
  EXPECT_EQ(made->root_digest, root_digest(file_digests(files)));
  Trust trust;
  trust.keys.push_back(key_.key.public_key());
  EXPECT_TRUE(verify_patch(path_, trust).ok());
  files.erase(kSignatureFile);
  EXPECT_EQ(files, small_files()) << "the other files stay as they are";
  EXPECT_TRUE(load_patch(path_)->is_signed);
  EXPECT_EQ(directory_.entries(), 1u);
}

TEST_F(Sign, ASignatureIsReplacedOnlyOnRequest) {
  ASSERT_TRUE(sign_patch(path_, key_, Overwrite::kNo).ok());
  const std::string first = signature();
  expect_error(sign_patch(path_, key_, Overwrite::kNo), ErrorKind::kExists, "signed already");
  EXPECT_EQ(signature(), first);
  const SigningKey other{PrivateKey::generate().value(), {}};
  ASSERT_TRUE(sign_patch(path_, other, Overwrite::kYes).ok());
  EXPECT_NE(signature(), first);
}

TEST_F(Sign, ADamagedPatchIsNotSigned) {
  write_raw(path_ / kReadmeFile, "changed");
  expect_error(sign_patch(path_, key_, Overwrite::kNo), ErrorKind::kCorrupt, "README.md");
  fs::remove(path_ / kReadmeFile);
  expect_error(sign_patch(path_, key_, Overwrite::kNo), ErrorKind::kCorrupt, "README.md");
  EXPECT_FALSE(fs::exists(path_ / kSignatureFile));
  expect_error(sign_patch(directory_ / "gone", key_, Overwrite::kNo), ErrorKind::kNotFound, "gone");
}

TEST_F(Sign, ForeignFilesAreNotSigned) {
  write_raw(path_ / "run.sh", "");
  expect_error(sign_patch(path_, key_, Overwrite::kNo), ErrorKind::kCorrupt, "run.sh");
}

TEST_F(Sign, WithACertificateThatMaySignNow) {
  CertificateOptions options;
  options.from = std::time(nullptr) - kDay;
  options.until = std::time(nullptr) + kDay;
  CertificateOptions ca = authority("root");
  ca.from = options.from;
  ca.until = options.until;
  const Identity root = issue(ca);
  const Identity leaf = issue(options, &root);
  const SigningKey certified{private_key(leaf.key), {leaf.certificate, root.certificate}};
  const auto made = sign_patch(path_, certified, Overwrite::kNo);
  ASSERT_TRUE(made.ok()) << made.error().to_string();
  EXPECT_EQ(made->signer.root, root.certificate.fingerprint());
  // The leaf alone, when nothing is known of the root.
  EXPECT_TRUE(sign_patch(path_, {private_key(leaf.key), {leaf.certificate}}, Overwrite::kYes).ok());

  fs::remove(path_ / kSignatureFile);
  options.until = std::time(nullptr) - 60;
  const Identity old = issue(options, &root);
  expect_error(sign_patch(path_, {private_key(old.key), {old.certificate, root.certificate}},
                          Overwrite::kNo),
               ErrorKind::kUntrusted, "expired");
  expect_error(sign_patch(path_, {private_key(old.key), {leaf.certificate}}, Overwrite::kNo),
               ErrorKind::kInvalidArgument, "found key");
  EXPECT_FALSE(fs::exists(path_ / kSignatureFile));
}

}  // namespace
}  // namespace llmpatch
