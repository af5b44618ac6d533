#include "http/url.h"

#include <gtest/gtest.h>

namespace llmpatch {
namespace {

TEST(Url, HasASchemeAHostAndAPort) {
  const auto url = parse_url("HTTPS://Registry.Example.com:5000/v2/?a=b");
  ASSERT_TRUE(url.ok()) << url.error().to_string();
  EXPECT_EQ(url->scheme, "https");
  EXPECT_EQ(url->host, "registry.example.com");
  EXPECT_EQ(url->port, "5000");
  EXPECT_EQ(parse_url("http://[::1]/")->host, "[::1]");
}

TEST(Url, IsHttpOrHttpsWithoutAUser) {
  for (const char* text : {"", "example.com", "/v2/", "file:///etc/passwd", "ftp://example.com/",
                           "https://user@example.com/", "https://a:b@example.com/", "https://",
                           "https://exa mple.com/", "gopher://example.com/"}) {
    const auto url = parse_url(text);
    ASSERT_FALSE(url.ok()) << text;
    EXPECT_EQ(url.error().kind, ErrorKind::kInvalidArgument);
  }
}

TEST(Url, ResolvesWhatIsRelative) {
  const char* base = "https://example.com/v2/a/blobs/uploads/?x=1";
  EXPECT_EQ(*resolve_url(base, "/v2/b?y=2"), "https://example.com/v2/b?y=2");
  EXPECT_EQ(*resolve_url(base, "c"), "https://example.com/v2/a/blobs/uploads/c");
  EXPECT_EQ(*resolve_url(base, "http://other.example/d"), "http://other.example/d");
  EXPECT_FALSE(resolve_url(base, "file:///etc/passwd").ok());
}

TEST(Url, AddsToAQuery) {
  EXPECT_EQ(*add_query("https://example.com/u", "digest", "sha256:ab"),
            "https://example.com/u?digest=sha256%3aab");
  EXPECT_EQ(*add_query("https://example.com/u?_state=z%3D", "a", "b&c"),
            "https://example.com/u?_state=z%3D&a=b%26c");
}

TEST(Url, HasAnOrigin) {
  const auto same = [](const char* one, const char* other) {
    return same_origin(*parse_url(one), *parse_url(other));
  };
  EXPECT_TRUE(same("https://Example.com/a", "https://example.com:443/b?c"));
  EXPECT_FALSE(same("https://example.com/", "http://example.com/"));
  EXPECT_FALSE(same("https://example.com/", "https://example.com:444/"));
  EXPECT_FALSE(same("https://example.com/", "https://www.example.com/"));
}

TEST(Url, KnowsThisMachine) {
  for (const char* text : {"http://localhost:5000/", "http://127.0.0.1/", "http://127.9.8.7:1/",
                           "http://[::1]:5000/"}) {
    EXPECT_TRUE(is_this_machine(*parse_url(text))) << text;
  }
  for (const char* text : {"http://127.example.com/", "http://localhost.example.com/",
                           "http://10.0.0.1/", "http://[::2]/"}) {
    EXPECT_FALSE(is_this_machine(*parse_url(text))) << text;
  }
}

}  // namespace
}  // namespace llmpatch
