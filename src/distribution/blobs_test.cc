#include "distribution/blobs.h"

#include <gtest/gtest.h>

#include "base/sha256.h"
#include "patch/test_patch.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

class BlobsTest : public testing::Test {
 protected:
  TestDirectory directory_;
  Blobs blobs_{directory_ / ""};
};

TEST_F(BlobsTest, KeepsBytesUnderTheirDigest) {
  const std::string bytes("a\0b", 3);
  EXPECT_EQ(blobs_.put(bytes).value(), sha256_hex(bytes));
  EXPECT_EQ(blobs_.put(bytes).value(), sha256_hex(bytes));
  EXPECT_EQ(blobs_.put("").value(), sha256_hex(""));
  EXPECT_EQ(blobs_.get(sha256_hex(bytes), 3).value(), bytes);
  EXPECT_EQ(blobs_.get(sha256_hex(""), 0).value(), "");
  EXPECT_EQ(directory_.entries(), 2u);
}

TEST_F(BlobsTest, RefusesWhatIsNotWhatItsNameSays) {
  const std::string digest = blobs_.put("content").value();
  const fs::path path = directory_ / digest;
  for (const char* damaged : {"contenT", "content!", "conten", ""}) {
    write_raw(path, damaged);
    expect_error(blobs_.get(digest, 7), ErrorKind::kCorrupt, digest);
  }
  fs::remove(path);
  expect_error(blobs_.get(digest, 7), ErrorKind::kCorrupt, "found no such file");
  fs::create_directory(path);
  expect_error(blobs_.get(digest, 7), ErrorKind::kCorrupt, "found no such file");
}

TEST_F(BlobsTest, PutRepairs) {
  const std::string digest = blobs_.put("content").value();
  write_raw(directory_ / digest, "contenT");
  EXPECT_EQ(blobs_.put("content").value(), digest);
  EXPECT_EQ(blobs_.get(digest, 7).value(), "content");
}

TEST_F(BlobsTest, CollectLeavesWhatIsNamed) {
  const std::string kept = blobs_.put("kept").value();
  const std::string dropped = blobs_.put("dropped").value();
  write_raw(directory_ / (kept + ".partial-1"), "ke");
  blobs_.collect({kept});
  EXPECT_EQ(directory_.entries(), 1u);
  EXPECT_EQ(blobs_.get(kept, 4).value(), "kept");
}

}  // namespace
}  // namespace llmpatch
