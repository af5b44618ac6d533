#include "runtime/json_schema.h"

#include <gtest/gtest.h>

#include <string>

#include "base/json.h"

namespace llmpatch {
namespace {

ErrorKind kind_of(const std::string& schema) {
  const auto grammar = json_schema_grammar(schema);
  EXPECT_FALSE(grammar.ok()) << schema;
  return grammar.ok() ? ErrorKind::kInternal : grammar.error().kind;
}

TEST(JsonSchema, NamesPropertiesInTheSchemasOrder) {
  const auto grammar = json_schema_grammar(
      R"({"type": "object", "properties": {"zebra": {"type": "integer"}, "ant": {"type": "string"}},
          "required": ["zebra", "ant"], "additionalProperties": false})");
  ASSERT_TRUE(grammar.ok()) << grammar.error().to_string();
  const std::size_t root = grammar->find("root ::=");
  ASSERT_NE(root, std::string::npos);
  EXPECT_LT(grammar->find("zebra-kv", root), grammar->find("ant-kv", root));
}

TEST(JsonSchema, TakesWhatIsConvertedWhole) {
  for (const char* schema :
       {R"({"type": "object"})", R"({})", R"({"enum": ["a", 1, null]})", R"({"const": 3})",
        R"({"type": ["string", "null"], "maxLength": 5})",
        R"({"type": "array", "items": {"type": "number"}, "minItems": 1, "maxItems": 3})",
        R"({"type": "integer", "minimum": 0, "exclusiveMaximum": 10})",
        R"({"type": ["string", "null"], "pattern": "^[a-z]+$"})",
        R"({"anyOf": [{"type": "string", "format": "date"}, {"type": "boolean"}]})",
        R"({"$defs": {"n": {"type": "object", "properties": {"next": {"$ref": "#/$defs/n"}}}},
            "type": "object", "properties": {"first": {"$ref": "#/$defs/n"}}})"}) {
    const auto grammar = json_schema_grammar(schema);
    EXPECT_TRUE(grammar.ok()) << schema << " " << (grammar.ok() ? "" : grammar.error().message);
  }
}

TEST(JsonSchema, RefusesKeywordsTheGrammarWouldLeaveOut) {
  for (const char* schema :
       {R"({"type": "number", "minimum": 0})", R"({"type": "string", "pattern": "a"})",
        R"({"type": "string", "pattern": "^a$", "maxLength": 3})", R"({"pattern": "^a$"})",
        R"({"default": {"type": "string", "pattern": "^a$"}, "anyOf": [{"$ref": "#/default"}]})",
        R"({"type": "array", "uniqueItems": true})", R"({"not": {"type": "null"}})",
        R"({"type": "string", "format": "email"})",
        R"({"type": "object", "patternProperties": {"a": {}}})", R"({"enum": [1], "minimum": 0})",
        R"({"type": "string", "items": {}})"}) {
    EXPECT_EQ(kind_of(schema), ErrorKind::kUnsupported) << schema;
  }
}

TEST(JsonSchema, RefusesReferencesTheConverterWouldFollowForEver) {
  EXPECT_EQ(kind_of(R"({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}},
                        "$ref": "#/$defs/a"})"),
            ErrorKind::kUnsupported);
  EXPECT_EQ(kind_of(R"({"$defs": {"a": {"type": "object", "properties":
                         {"p": {"allOf": [{"$ref": "#/$defs/a"}]}}}}, "$ref": "#/$defs/a"})"),
            ErrorKind::kUnsupported);
  EXPECT_EQ(kind_of(R"({"$defs": {"a": {"type": "object"}},
                        "allOf": [{"anyOf": [{"$ref": "#/$defs/a"}]}]})"),
            ErrorKind::kUnsupported);
  EXPECT_EQ(kind_of(R"({"$ref": "https://example.com/s.json"})"), ErrorKind::kUnsupported);
  EXPECT_EQ(kind_of(R"({"$ref": "#/$defs/missing"})"), ErrorKind::kInvalidArgument);
}

TEST(JsonSchema, RefusesWhatIsNoSchema) {
  EXPECT_EQ(kind_of("nothing"), ErrorKind::kInvalidArgument);
  EXPECT_EQ(kind_of("[]"), ErrorKind::kInvalidArgument);
  EXPECT_EQ(kind_of(R"({"type": "cheese"})"), ErrorKind::kInvalidArgument);
  EXPECT_EQ(kind_of(R"({"type": ["object", "object"]})"), ErrorKind::kInvalidArgument);
  EXPECT_EQ(kind_of(R"({"type": "object", "properties": {"a": 1}})"), ErrorKind::kInvalidArgument);
}

TEST(JsonSchema, KeepsItsLimits) {
  Json schema{{"type", "object"}};
  for (int i = 0; i < 101; ++i) schema["properties"]["p" + std::to_string(i)] = Json::object();
  EXPECT_EQ(kind_of(schema.dump()), ErrorKind::kLimit);
  EXPECT_EQ(kind_of(R"({"title": ")" + std::string(64 << 10, 'x') + R"("})"), ErrorKind::kLimit);
  const std::string name(257, 'x');
  EXPECT_EQ(kind_of(Json{{"type", "object"}, {"properties", {{name, Json::object()}}}}.dump()),
            ErrorKind::kLimit);
}

}  // namespace
}  // namespace llmpatch
