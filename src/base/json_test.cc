#include "base/json.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <limits>

namespace llmpatch {
namespace {

ErrorKind kind_of(std::string_view text) {
  const auto parsed = parse_json(text, "file.json");
  if (parsed.ok()) {
    ADD_FAILURE() << "accepted: " << text.substr(0, 60);
    return ErrorKind::kInternal;
  }
  EXPECT_NE(parsed.error().message.find("file.json"), std::string::npos);
  EXPECT_EQ(parsed.error().message.find('\n'), std::string::npos) << parsed.error().message;
  return parsed.error().kind;
}

std::string nested(int depth) { return std::string(depth, '[') + std::string(depth, ']'); }

TEST(ParseJson, RefusesWhatIsNotJson) {
  for (const std::string_view text :
       {"", " ", "{", "[1,]", "{\"a\":1,}", "{a:1}", "'a'", "nul", "[1] 2", "{\"a\" 1}", "\"\\x\"",
        "\"open", "01", "NaN", "Infinity", "1e", "// c\n1", "\"\t\"", "\"\\ud800\""}) {
    EXPECT_EQ(kind_of(text), ErrorKind::kCorrupt) << text;
  }
  EXPECT_EQ(kind_of(std::string_view("{}\0", 3)), ErrorKind::kCorrupt);
}

TEST(ParseJson, RefusesInvalidUtf8) {
  EXPECT_EQ(kind_of("\"\xff\""), ErrorKind::kCorrupt);
  EXPECT_EQ(kind_of("\"\xc0\x80\""), ErrorKind::kCorrupt);       // overlong
  EXPECT_EQ(kind_of("\"\xed\xa0\x80\""), ErrorKind::kCorrupt);   // a surrogate
  EXPECT_EQ(kind_of("{\"\xe2\x82\": 1}"), ErrorKind::kCorrupt);  // cut short
}

TEST(ParseJson, RefusesDuplicateKeysOfOneObjectOnly) {
  EXPECT_EQ(kind_of(R"({"a":1,"a":1})"), ErrorKind::kCorrupt);
  EXPECT_EQ(kind_of(R"({"x":{"a":1,"b":[{"c":1,"c":2}]}})"), ErrorKind::kCorrupt);
  EXPECT_EQ(kind_of(R"({"a":1,"\u0061":2})"), ErrorKind::kCorrupt);   // the same key, escaped
  EXPECT_EQ(kind_of(R"({"a":{"b":1},"a":2})"), ErrorKind::kCorrupt);  // an object in between
  EXPECT_TRUE(parse_json(R"({"a":{"a":1},"b":[{"a":1},{"a":2}]})", "f").ok());
}

TEST(ParseJson, BoundsNesting) {
  EXPECT_TRUE(parse_json(nested(64), "f").ok());
  EXPECT_EQ(kind_of(nested(66)), ErrorKind::kCorrupt);
  EXPECT_EQ(kind_of(nested(200000)), ErrorKind::kCorrupt);
  EXPECT_EQ(kind_of(std::string(200000, '[')), ErrorKind::kCorrupt);
  std::string objects;
  for (int i = 0; i < 100000; ++i) objects += "{\"a\":";
  EXPECT_EQ(kind_of(objects), ErrorKind::kCorrupt);
}

TEST(ParseJson, NumbersOutOfRangeAreCorrupt) {
  EXPECT_EQ(kind_of("1e999"), ErrorKind::kCorrupt);
  EXPECT_EQ(kind_of("[-1e999]"), ErrorKind::kCorrupt);
}

TEST(JsonMembers, NameTheKeyAndBothTypes) {
  const Json object =
      parse_json(
          R"({"text":"x","int":-3,"big":18446744073709551615,"real":1.5,"list":[1],"map":{}})", "f")
          .value();
  EXPECT_EQ(json_string(object, "text", "f").value(), "x");
  EXPECT_EQ(json_integer(object, "int", "f").value(), -3);
  EXPECT_EQ(json_number(object, "real", "f").value(), 1.5);
  EXPECT_EQ(json_number(object, "int", "f").value(), -3.0);
  EXPECT_EQ(json_array(object, "list", "f").value().size(), 1u);
  EXPECT_TRUE(json_object(object, "map", "f").value().empty());

  for (const char* key : {"text", "big", "real", "list", "map"}) {
    const auto found = json_integer(object, key, "manifest.json");
    ASSERT_FALSE(found.ok()) << key;
    EXPECT_EQ(found.error().kind, ErrorKind::kCorrupt);
    EXPECT_NE(found.error().message.find("manifest.json"), std::string::npos);
    EXPECT_NE(found.error().message.find(key), std::string::npos);
  }
  EXPECT_FALSE(json_string(object, "int", "f").ok());
  EXPECT_FALSE(json_number(object, "text", "f").ok());
  EXPECT_FALSE(json_array(object, "map", "f").ok());
  EXPECT_FALSE(json_object(object, "list", "f").ok());
  EXPECT_FALSE(json_string(object, "missing", "f").ok());
  EXPECT_FALSE(json_string(Json::array(), "text", "f").ok());  // not an object at all
  EXPECT_FALSE(json_string(Json(), "text", "f").ok());
}

TEST(JsonText, SortsKeysOrKeepsTheirOrder) {
  EXPECT_EQ(json_line(Json{{"b", 1}, {"a", 2}}), R"({"a":2,"b":1})");
  EXPECT_EQ(json_line(OrderedJson{{"b", 1}, {"a", 2}}), R"({"b":1,"a":2})");
  EXPECT_EQ(json_pretty(OrderedJson{{"b", 1}}), "{\n  \"b\": 1\n}\n");
}

TEST(JsonText, ReplacesACharacterThatWasCut) {
  const std::string line = json_line(Json{{"response", "caf\xc3"}});
  EXPECT_EQ(line, "{\"response\":\"caf\xef\xbf\xbd\"}");
  EXPECT_TRUE(parse_json(line, "f").ok());
}

class ReadJsonLines : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::remove(path_); }
  void TearDown() override { std::filesystem::remove(path_); }
  Result<std::vector<JsonLine>> read(std::string_view text, std::uint64_t limit = 1 << 20) {
    std::ofstream(path_, std::ios::binary) << text;
    return read_json_lines(path_, "prompts", limit);
  }
  const std::filesystem::path path_ =
      std::filesystem::path(testing::TempDir()) /
      (std::string("json_lines_") + testing::UnitTest::GetInstance()->current_test_info()->name());
};

TEST_F(ReadJsonLines, NumbersLinesAsAnEditorDoes) {
  const auto lines =
      read("\n{\"a\":1}\r\n \t\n{\"a\":2}");  // blank ones count, the last needs no end
  ASSERT_TRUE(lines.ok());
  ASSERT_EQ(lines->size(), 2u);
  EXPECT_EQ((*lines)[0].number, 2u);
  EXPECT_EQ((*lines)[1].number, 4u);
  EXPECT_EQ((*lines)[1].value["a"], 2);
}

TEST_F(ReadJsonLines, AnEmptyFileHasNoLines) {
  EXPECT_EQ(read("").value().size(), 0u);
  EXPECT_EQ(read("\n\n").value().size(), 0u);
}

TEST_F(ReadJsonLines, NamesTheBrokenLine) {
  for (const std::string_view bad : {"{\"a\":", "[1]", "\"text\"", "3", "null", "{\"a\":1}{"}) {
    const auto lines = read("{\"a\":1}\n\n" + std::string(bad) + "\n{\"a\":2}\n");
    ASSERT_FALSE(lines.ok()) << bad;
    EXPECT_EQ(lines.error().kind, ErrorKind::kCorrupt);
    EXPECT_NE(lines.error().message.find("line 3"), std::string::npos) << lines.error().message;
  }
}

TEST_F(ReadJsonLines, AFileOverTheLimitIsNotRead) {
  const auto lines = read("{\"a\":1}\n", 4);
  ASSERT_FALSE(lines.ok());
  EXPECT_EQ(lines.error().kind, ErrorKind::kLimit);
}

TEST_F(ReadJsonLines, AMissingFileIsNamedWithItsPurpose) {
  const auto lines = read_json_lines(path_, "prompts");
  ASSERT_FALSE(lines.ok());
  EXPECT_EQ(lines.error().kind, ErrorKind::kNotFound);
  EXPECT_NE(lines.error().message.find("prompts"), std::string::npos);
  EXPECT_NE(lines.error().message.find(path_.string()), std::string::npos);
}

}  // namespace
}  // namespace llmpatch
