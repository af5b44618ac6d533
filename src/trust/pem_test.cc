#include "trust/pem.h"

#include <gtest/gtest.h>

namespace llmpatch {
namespace {

// "any bytes" in base64, on two lines.
constexpr const char* kBlock =
    "-----BEGIN THING-----\n"
    "YW55\n"
    "IGJ5dGVz\n"
    "-----END THING-----\n";

std::string der_of(const std::string& text) {
  const auto block = find_pem_block(text, {"THING"});
  return block ? block->der : "none";
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(Pem, FindsTheFirstBlockThatIsWanted) {
  const std::string other = replaced(replaced(kBlock, "THING", "OTHER"), "THING", "OTHER");
  const auto block = find_pem_block("some words\n" + other + kBlock, {"MORE", "THING"});
  ASSERT_TRUE(block);
  EXPECT_EQ(block->label, "THING");
  EXPECT_EQ(block->headers, "");
  EXPECT_EQ(block->der, "any bytes");
  EXPECT_EQ(find_pem_block(other + kBlock, {"THING", "OTHER"})->label, "OTHER");
  EXPECT_FALSE(find_pem_block(other + kBlock, {"MORE"}));
}

TEST(Pem, TakesOtherLineEndsAndSpacesBeforeThem) {
  std::string text = kBlock;
  for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 3) {
    text.replace(at, 1, " \r\n");
  }
  EXPECT_EQ(der_of(text), "any bytes");
  EXPECT_EQ(der_of(std::string(kBlock, std::string(kBlock).size() - 1)), "any bytes");
}

TEST(Pem, HeadersStandBeforeAnEmptyLine) {
  const std::string headers = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n";
  const auto block = find_pem_block(replaced(kBlock, "YW55", headers + "\nYW55"), {"THING"});
  ASSERT_TRUE(block);
  EXPECT_EQ(block->headers, headers);
  EXPECT_EQ(block->der, "any bytes");
  EXPECT_EQ(der_of(replaced(kBlock, "YW55", headers + "YW55")), "none") << "no empty line";
}

TEST(Pem, ABlockWithAnythingElseInItIsNone) {
  for (const auto& [from, to] : std::initializer_list<std::pair<const char*, const char*>>{
           {"YW55\n", "YW55\n\n"},                              // an empty line
           {"YW55", "YW5"},                                     // half a group
           {"YW55", "YW5*"},                                    // no base64
           {"YW55", "YW5-"},                                    // that of addresses
           {"YW55", "YQ=="},                                    // padding within
           {"-----END THING-----", "-----END OTHER-----"},      // the end of another one
           {"-----END THING-----", "-----END THING----"},       // no end
           {"-----END THING-----", "----------END THING-----"}  // neither
       }) {
    EXPECT_EQ(der_of(replaced(kBlock, from, to)), "none") << to;
  }
  EXPECT_EQ(der_of(replaced(kBlock, "-----BEGIN", " -----BEGIN")), "none");
  for (std::size_t length = 0; length + 1 < std::string(kBlock).size(); ++length) {
    EXPECT_EQ(der_of(std::string(kBlock, length)), "none") << length;
  }
  EXPECT_EQ(der_of("-----BEGIN -----\n-----END -----\n"), "none");
  EXPECT_EQ(der_of("-----BEGIN-----\n"), "none");
}

TEST(Pem, ABlockOfNothingIsEmpty) {
  EXPECT_EQ(der_of("-----BEGIN THING-----\n-----END THING-----\n"), "");
}

}  // namespace
}  // namespace llmpatch
