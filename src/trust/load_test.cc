#include "trust/load.h"

#include "base/sha256.h"
#include "trust/test_signing.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

class Load : public testing::Test {
 protected:
  Load() {
    ours_.keys.push_back(key_.key.public_key());
    theirs_.keys.push_back(PrivateKey::generate()->public_key());
  }
  void SetUp() override {
    PatchFiles files = small_files();
    ASSERT_TRUE(write_patch_directory(files, unsigned_, Overwrite::kNo).ok());
    ASSERT_TRUE(write_patch_directory(files, signed_, Overwrite::kNo).ok());
    ASSERT_TRUE(sign_patch(signed_, key_, Overwrite::kNo).ok());
    files = read_patch_directory(signed_).value();
    files[kReadmeFile] += "!";
    ASSERT_TRUE(write_patch_directory(files, tampered_, Overwrite::kNo).ok());
  }

  TestDirectory directory_;
  const fs::path unsigned_ = directory_ / "u", signed_ = directory_ / "s",
                 tampered_ = directory_ / "t";
  const SigningKey key_{PrivateKey::generate().value(), {}};
  Trust ours_, theirs_;
};

TEST_F(Load, AVerifiedPatchLoadsWithoutAWarning) {
  for (const AllowUnsigned allow : {AllowUnsigned::kNo, AllowUnsigned::kYes}) {
    const auto loaded = load_trusted_patch(signed_, ours_, allow);
    ASSERT_TRUE(loaded.ok()) << loaded.error().to_string();
    EXPECT_EQ(loaded->warning, "");
    ASSERT_TRUE(loaded->signer.has_value());
    EXPECT_EQ(loaded->signer->key, key_.key.public_key().hint());
    EXPECT_EQ(loaded->patch.manifest.name, "refuse");
    EXPECT_EQ(loaded->patch.source, signed_);
  }
}

TEST_F(Load, AnUnsignedPatchNeedsPermission) {
  for (const Trust& trust : {Trust{}, ours_}) {
    expect_error(load_trusted_patch(unsigned_, trust, AllowUnsigned::kNo), ErrorKind::kUntrusted,
                 "no signature");
    const auto loaded = load_trusted_patch(unsigned_, trust, AllowUnsigned::kYes);
    ASSERT_TRUE(loaded.ok()) << loaded.error().to_string();
    EXPECT_FALSE(loaded->signer.has_value());
    EXPECT_NE(loaded->warning.find("refuse 1.2.3 is not signed"), std::string::npos);
  }
}

TEST_F(Load, ASignatureThatNobodyChecksNeedsPermissionToo) {
  expect_error(load_trusted_patch(signed_, {}, AllowUnsigned::kNo), ErrorKind::kUnverifiable,
               "no key");
  const auto loaded = load_trusted_patch(signed_, {}, AllowUnsigned::kYes);
  ASSERT_TRUE(loaded.ok()) << loaded.error().to_string();
  EXPECT_FALSE(loaded->signer.has_value());
  EXPECT_NE(loaded->warning.find("not checked"), std::string::npos);
}

TEST_F(Load, NoPermissionLoadsASignatureThatDoesNotHold) {
  for (const AllowUnsigned allow : {AllowUnsigned::kNo, AllowUnsigned::kYes}) {
    expect_error(load_trusted_patch(tampered_, ours_, allow), ErrorKind::kUntrusted, "README.md");
    expect_error(load_trusted_patch(signed_, theirs_, allow), ErrorKind::kUntrusted,
                 "found a signature by key");
    write_raw(signed_ / kSignatureFile, "");
    expect_error(load_trusted_patch(signed_, ours_, allow), ErrorKind::kUntrusted, "model.sig");
    ASSERT_TRUE(sign_patch(signed_, key_, Overwrite::kYes).ok());
  }
}

TEST_F(Load, APolicyWithoutItsKeyChecksNothingAndLoadsNothing) {
  Trust policy;
  policy.rules = {{{"*"}, {key_.key.public_key().hint()}}};
  for (const AllowUnsigned allow : {AllowUnsigned::kNo, AllowUnsigned::kYes}) {
    expect_error(load_trusted_patch(signed_, policy, allow), ErrorKind::kUnverifiable, "no key");
  }
}

TEST_F(Load, TheVerifiedBytesMustBeAPatchAsWell) {
  // Well signed by a tool that looks into no manifest.
  PatchFiles files = small_files();
  files[kReadmeFile] = "not what the manifest lists";
  files[kSignatureFile] = sign_files(files, "refuse", key_).value();
  ASSERT_TRUE(write_patch_directory(files, directory_ / "x", Overwrite::kNo).ok());
  expect_error(load_trusted_patch(directory_ / "x", ours_, AllowUnsigned::kNo), ErrorKind::kCorrupt,
               "README.md");
}

}  // namespace
}  // namespace llmpatch
