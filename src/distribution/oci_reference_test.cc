#include "distribution/oci_reference.h"

#include <gtest/gtest.h>

namespace llmpatch {
namespace {

const std::string kDigest = "sha256:" + std::string(64, 'a');

TEST(OciReference, HasAHostARepositoryATagAndADigest) {
  const auto whole = parse_oci_reference("oci://registry.example.com:5000/team/refuse:1.0.0");
  ASSERT_TRUE(whole.ok()) << whole.error().to_string();
  EXPECT_EQ(whole->host, "registry.example.com:5000");
  EXPECT_EQ(whole->repository, "team/refuse");
  EXPECT_EQ(whole->tag, "1.0.0");
  EXPECT_EQ(whole->digest, "");
  EXPECT_EQ(whole->wanted(), "1.0.0");
  const auto pinned = parse_oci_reference("localhost/a__b-c.d:latest@" + kDigest);
  ASSERT_TRUE(pinned.ok()) << pinned.error().to_string();
  EXPECT_EQ(pinned->wanted(), kDigest);
  EXPECT_EQ(pinned->to_string(), "localhost/a__b-c.d:latest@" + kDigest);
  const auto address = parse_oci_reference("[::1]:5000/refuse");
  ASSERT_TRUE(address.ok()) << address.error().to_string();
  EXPECT_EQ(address->host, "[::1]:5000");
}

TEST(OciReference, RefusesAnythingElse) {
  for (const std::string& text : {std::string(),
                                  std::string("refuse"),
                                  std::string("team/refuse:1"),
                                  std::string("https://example.com/refuse"),
                                  std::string("example.com/"),
                                  std::string("example.com/Refuse"),
                                  std::string("example.com/a//b"),
                                  std::string("example.com/a/../b"),
                                  std::string("example.com/a:"),
                                  std::string("example.com/a:.1"),
                                  std::string("example.com/a@sha256:12"),
                                  std::string("example.com/a@sha512:") + std::string(64, 'a'),
                                  "example.com/a@sha256:" + std::string(64, 'A'),
                                  std::string("example.com:port/a"),
                                  std::string("user@example.com/a"),
                                  std::string("example.com/a b"),
                                  std::string("-example.com/a"),
                                  std::string("example.com/a_-b"),
                                  "example.com/" + std::string(300, 'a'),
                                  "example.com/a:" + std::string(129, 'a'),
                                  std::string(2000, 'a') + ".com/a"}) {
    const auto reference = parse_oci_reference(text);
    ASSERT_FALSE(reference.ok()) << text;
    EXPECT_EQ(reference.error().kind, ErrorKind::kInvalidArgument);
  }
}

}  // namespace
}  // namespace llmpatch
