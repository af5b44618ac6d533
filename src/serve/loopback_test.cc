#include "serve/loopback.h"

#include <gtest/gtest.h>

namespace llmpatch {
namespace {

TEST(Loopback, IsThisMachine) {
  for (const char* host : {"localhost", "127.0.0.1", "127.8.9.10", "::1"}) {
    EXPECT_TRUE(is_loopback(host)) << host;
  }
}

TEST(Loopback, IsNoOther) {
  for (const char* host : {"", "0.0.0.0", "::", "10.0.0.127", "127.example.com",
                           "localhost.example", "[localhost]", "1270.0.0.1"}) {
    EXPECT_FALSE(is_loopback(host)) << host;
  }
}

}  // namespace
}  // namespace llmpatch
