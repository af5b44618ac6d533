#include "distribution/credentials.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace llmpatch {
namespace {

class CredentialsTest : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(config_); }
  Result<std::optional<Credentials>> find(const char* config, const char* host) {
    std::ofstream(config_) << config;
    return find_credentials(config_, host);
  }
  const std::filesystem::path config_ =
      std::filesystem::temp_directory_path() / ("llmpatch-docker-" + std::to_string(::getpid()));
};

TEST_F(CredentialsTest, AreThoseOfTheHost) {
  // base64 of "vendor:se:cret", as RFC 7617 puts the two together.
  const char* config = R"({"auths": {"a.example:5000": {"auth": "dmVuZG9yOnNlOmNyZXQ="},
                                     "https://b.example": {"auth": "dmVuZG9yOnNlOmNyZXQ="},
                                     "c.example": {}}})";
  for (const char* host : {"a.example:5000", "b.example"}) {
    const auto found = find(config, host);
    ASSERT_TRUE(found.ok()) << found.error().to_string();
    ASSERT_TRUE(found->has_value()) << host;
    EXPECT_EQ((*found)->user, "vendor");
    EXPECT_EQ((*found)->password, "se:cret");
  }
  for (const char* host : {"a.example", "c.example", "d.example"}) {
    const auto found = find(config, host);
    ASSERT_TRUE(found.ok()) << found.error().to_string();
    EXPECT_FALSE(found->has_value()) << host;
  }
}

TEST_F(CredentialsTest, KnowWhatDockerHubIsCalled) {
  const auto found =
      find(R"({"auths": {"https://index.docker.io/v1/": {"auth": "dmVuZG9yOnNlOmNyZXQ="}}})",
           "registry-1.docker.io");
  ASSERT_TRUE(found.ok()) << found.error().to_string();
  EXPECT_TRUE(found->has_value());
}

TEST_F(CredentialsTest, AreNoneWithoutAFile) {
  const auto none = find_credentials(config_, "a.example");
  ASSERT_TRUE(none.ok());
  EXPECT_FALSE(none->has_value());
  EXPECT_FALSE(find_credentials("", "a.example")->has_value());
}

TEST_F(CredentialsTest, RefuseWhatIsNoConfig) {
  const auto kind = [&](const char* config) {
    const auto found = find(config, "a.example");
    return found.ok() ? ErrorKind::kInternal : found.error().kind;
  };
  EXPECT_EQ(kind("{"), ErrorKind::kCorrupt);
  EXPECT_EQ(kind("[]"), ErrorKind::kCorrupt);
  EXPECT_EQ(kind(R"({"auths": {"a.example": {"auth": "!"}}})"), ErrorKind::kCorrupt);
  EXPECT_EQ(kind(R"({"auths": {"a.example": {"auth": "dmVuZG9y"}}})"), ErrorKind::kCorrupt);
  EXPECT_EQ(kind(R"({"auths": {"a.example": {"auth": 7}}})"), ErrorKind::kCorrupt);
  EXPECT_EQ(kind(R"({"auths": {"a.example": {"identitytoken": "t"}}})"), ErrorKind::kUnsupported);
  EXPECT_EQ(kind(R"({"credsStore": "../../bin/sh"})"), ErrorKind::kCorrupt);
  EXPECT_EQ(kind(R"({"credsStore": "llmpatch-none"})"), ErrorKind::kNotFound);
}

}  // namespace
}  // namespace llmpatch
