#include "base/sha256.h"

#include <gtest/gtest.h>

#include <vector>

namespace llmpatch {
namespace {

// FIPS 180-2, appendix B, and the empty message.
TEST(Sha256, PublishedExamples) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256_hex(std::string(1000000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, PartsGiveTheDigestOfTheWhole) {
  const std::string text(200, 'x');
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {  // across the 64-byte blocks
    Sha256 hash;
    hash.update(std::string_view(text).substr(0, cut));
    hash.update(std::string_view());
    hash.update(std::string_view(text).substr(cut));
    ASSERT_EQ(hash.finish(), sha256_hex(text)) << "cut at " << cut;
  }
}

TEST(Sha256, HasAForm) {
  EXPECT_TRUE(is_sha256_hex(sha256_hex(std::string_view("text"))));
  EXPECT_TRUE(is_sha256_hex("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"));
  EXPECT_FALSE(is_sha256_hex(""));
  EXPECT_FALSE(is_sha256_hex(std::string(63, 'a')));
  EXPECT_FALSE(is_sha256_hex(std::string(65, 'a')));
  EXPECT_FALSE(is_sha256_hex(std::string(64, 'A')));
  EXPECT_FALSE(is_sha256_hex(std::string(63, 'a') + "g"));
}

TEST(Sha256, BytesAreNotText) {
  const std::vector<std::byte> bytes{std::byte{0}, std::byte{0xff}};
  EXPECT_EQ(sha256_hex(bytes), sha256_hex(std::string_view("\0\xff", 2)));
  EXPECT_NE(sha256_hex(bytes), sha256_hex(std::string_view("\0", 1)));
}

}  // namespace
}  // namespace llmpatch
