#include "distribution/reference.h"

#include <gtest/gtest.h>

#include "patch/test_patch.h"

namespace llmpatch {
namespace {

TEST(Reference, HasThreeForms) {
  const std::string digest(64, 'a');
  const auto parts = [](const std::string& text) {
    const Reference reference = parse_reference(text).value();
    EXPECT_EQ(reference.to_string(), text);
    return reference.name + "|" + reference.version + "|" + reference.digest;
  };
  EXPECT_EQ(parts("refuse"), "refuse||");
  EXPECT_EQ(parts("refuse@1.0.0-rc.1"), "refuse|1.0.0-rc.1|");
  EXPECT_EQ(parts("refuse@sha256:" + digest), "refuse||" + digest);
}

TEST(Reference, RefusesEverythingElse) {
  for (const std::string& bad :
       {std::string(), std::string("Refuse"), std::string("@1.0.0"), std::string("refuse@"),
        std::string("refuse@1"), std::string("refuse@^1.0.0"), std::string("refuse@1.0.0@1.0.0"),
        std::string("../refuse"), std::string("refuse@sha256:"), std::string("refuse@sha256:abcd"),
        "refuse@sha256:" + std::string(64, 'A'), "refuse@" + std::string(64, 'a'),
        "refuse@sha512:" + std::string(64, 'a')}) {
    expect_error(parse_reference(bad), ErrorKind::kInvalidArgument, "expected name");
  }
}

}  // namespace
}  // namespace llmpatch
