#include "trust/canonical_json.h"

#include "patch/test_patch.h"

namespace llmpatch {
namespace {

std::string canonical(std::string_view text) {
  return canonical_json(parse_json(text, "test").value(), "test").value();
}

TEST(CanonicalJson, SortsKeysAndLeavesNoSpace) {
  EXPECT_EQ(canonical(R"({ "b" : [ 1 , true, null ], "a" : {"d": -2, "c": "x"} })"),
            R"({"a":{"c":"x","d":-2},"b":[1,true,null]})");
}

TEST(CanonicalJson, EscapesQuotesAndBackslashesAlone) {
  EXPECT_EQ(canonical(R"(["a\nb\t\"\\\/", "\u00e4\u0001"])"),
            "[\"a\nb\t\\\"\\\\/\",\"\xc3\xa4\x01\"]");
}

TEST(CanonicalJson, HasIntegersOf64BitsAlone) {
  EXPECT_EQ(canonical("[18446744073709551615,-9223372036854775808,-0]"),
            "[18446744073709551615,-9223372036854775808,0]");
  for (const char* text : {"1.0", "[1e3]", "{\"a\":18446744073709551616}"}) {
    expect_error(canonical_json(parse_json(text, "test").value(), "test"), ErrorKind::kUntrusted,
                 "test: found a number that is not an integer");
  }
}

}  // namespace
}  // namespace llmpatch
