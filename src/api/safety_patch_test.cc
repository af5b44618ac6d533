#include "api/test_api.h"
#include "base/file.h"
#include "patch/archive.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

class SafetyPatchTest : public testing::Test {
 protected:
  Vendor vendor_, stranger_;
  TestDirectory directory_;
  const Rows rows_ = rows_of(letters(3, 1));
  const fs::path path_ = vendor_.write("refuse", rows_);

  // The patch as one file.
  std::string archive() const { return pack_files(read_patch_directory(path_).value()).value(); }
  // The patch without its signature.
  fs::path unsigned_copy() const {
    PatchFiles files = read_patch_directory(path_).value();
    files.erase(kSignatureFile);
    EXPECT_TRUE(write_patch_directory(files, directory_ / "unsigned", Overwrite::kYes).ok());
    return directory_ / "unsigned";
  }
};

TEST_F(SafetyPatchTest, IsWhatWasSigned) {
  write_raw(directory_ / "vendor.pub", vendor_.key().pem());
  write_raw(directory_ / "refuse.llmpatch", archive());
  LoadOptions files;
  files.keys = {directory_ / "vendor.pub"};
  for (const auto& loaded :
       {SafetyPatch::load(path_, files), SafetyPatch::load(path_, vendor_.trusted()),
        SafetyPatch::load(directory_ / "refuse.llmpatch", files),
        SafetyPatch::from_bytes(archive(), files)}) {
    ASSERT_TRUE(loaded.ok()) << loaded.error().to_string();
    const PatchInfo& info = loaded->info();
    EXPECT_EQ(info.name, "refuse");
    EXPECT_EQ(info.version, "1.2.3");
    EXPECT_EQ(info.sequence, 7);
    EXPECT_EQ(info.risk, "harmful");
    EXPECT_EQ(info.summary, "Declines harmful requests");
    EXPECT_EQ(info.license, "Apache-2.0");
    EXPECT_EQ(info.expires, "2031-02-28T23:59:59Z");
    EXPECT_EQ(info.base_model, "llama");  // the tiny model's file names none
    EXPECT_EQ(info.signer, "key " + vendor_.key().hint());
    EXPECT_EQ(info.digest.size(), 64U);
    EXPECT_EQ(info.warning, "");
    EXPECT_EQ(loaded->rows(), rows_.n);
    EXPECT_EQ(loaded->width(), rows_.d);
    EXPECT_EQ(std::vector<float>(loaded->values().begin(), loaded->values().end()), rows_.values);
  }
}

TEST_F(SafetyPatchTest, OfSomebodyElseIsRefused) {
  for (const bool allow_unsigned : {false, true}) {
    LoadOptions options = stranger_.trusted();
    options.allow_unsigned = allow_unsigned;
    expect_error(SafetyPatch::load(path_, options), ErrorKind::kUntrusted, "signature by key");
    expect_error(SafetyPatch::from_bytes(archive(), options, "a patch"), ErrorKind::kUntrusted,
                 "a patch");
  }
}

TEST_F(SafetyPatchTest, ThatWasChangedIsRefused) {
  std::string changed = archive();
  const std::size_t at = changed.find("Declines harmful");
  ASSERT_NE(at, std::string::npos);
  changed[at] = 'd';
  LoadOptions options = vendor_.trusted();
  options.allow_unsigned = true;
  expect_error(SafetyPatch::from_bytes(changed, options), ErrorKind::kUntrusted, "found sha256");
  write_raw(path_ / "run.sh", "");
  expect_error(SafetyPatch::load(path_, options), ErrorKind::kUntrusted, "run.sh");
}

TEST_F(SafetyPatchTest, WithoutASignatureNeedsPermission) {
  const fs::path path = unsigned_copy();
  LoadOptions options = vendor_.trusted();
  expect_error(SafetyPatch::load(path, options), ErrorKind::kUntrusted, "no signature");
  options.allow_unsigned = true;
  const auto loaded = SafetyPatch::load(path, options);
  ASSERT_TRUE(loaded.ok()) << loaded.error().to_string();
  EXPECT_EQ(loaded->info().warning, "patch refuse 1.2.3 is not signed: nothing tells who made it");
  EXPECT_EQ(loaded->info().signer, "");
  EXPECT_EQ(loaded->info().digest, "");
}

TEST_F(SafetyPatchTest, ThatNobodyCanCheckNeedsPermission) {
  const auto refused = SafetyPatch::load(path_, {});
  expect_error(refused, ErrorKind::kUnverifiable, "no key");
  EXPECT_EQ(refused.error().hint, "") << "hints name options of the program";
  LoadOptions options;
  options.allow_unsigned = true;
  const auto loaded = SafetyPatch::load(path_, options);
  ASSERT_TRUE(loaded.ok()) << loaded.error().to_string();
  EXPECT_EQ(loaded->info().warning,
            "patch refuse 1.2.3 is signed, but its signature was not checked");
}

TEST_F(SafetyPatchTest, KeepsToThePolicy) {
  write_raw(directory_ / "vendor.pub", vendor_.key().pem());
  LoadOptions options;
  options.policy = directory_ / "trust.json";
  const auto rule = [&](const std::string& patches) {
    write_raw(options.policy,
              R"({"schema":1,"rules":[{"patches":[")" + patches + R"("],"keys":["vendor.pub"]}]})");
  };
  rule("refuse");
  EXPECT_TRUE(SafetyPatch::load(path_, options).ok());
  rule("gender-*");
  expect_error(SafetyPatch::load(path_, options), ErrorKind::kUntrusted, "no rule");
  options.certificates = {directory_ / "root.pem"};
  expect_error(SafetyPatch::load(path_, options), ErrorKind::kInvalidArgument, "policy");
}

TEST_F(SafetyPatchTest, WhatCannotBeReadChecksNothing) {
  LoadOptions options;
  options.allow_unsigned = true;
  options.keys = {directory_ / "gone.pub"};
  expect_error(SafetyPatch::load(path_, options), ErrorKind::kUnverifiable, "gone.pub");
  options.keys.clear();
  options.key_texts = {"no key"};
  expect_error(SafetyPatch::load(path_, options), ErrorKind::kUnverifiable, "key text");
}

TEST_F(SafetyPatchTest, ThatIsNoneIsRefused) {
  LoadOptions options;
  options.allow_unsigned = true;
  expect_error(SafetyPatch::load(directory_ / "gone", options), ErrorKind::kNotFound, "gone");
  expect_error(SafetyPatch::from_bytes("no archive", options), ErrorKind::kCorrupt, "patch");
}

}  // namespace
}  // namespace llmpatch
