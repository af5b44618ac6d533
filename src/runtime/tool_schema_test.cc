#include "runtime/tool_schema.h"

#include <gtest/gtest.h>

#include "base/json.h"

namespace llmpatch {
namespace {

Json held(std::string_view parameters, bool strict = false) {
  const Result<std::string> schema = tool_arguments_schema(parameters, strict);
  if (!schema.ok()) {
    ADD_FAILURE() << schema.error().to_string();
    return {};
  }
  return Json::parse(*schema);
}

ErrorKind refused(std::string_view parameters, bool strict = false) {
  const Result<std::string> schema = tool_arguments_schema(parameters, strict);
  if (schema.ok()) {
    ADD_FAILURE() << "taken: " << *schema;
    return ErrorKind::kInternal;
  }
  return schema.error().kind;
}

TEST(ToolSchema, IsTheFunctionsOwnWhereItCanBeHeldTo) {
  const char* text = R"({"type": "object", "properties": {"city": {"type": "string"}},
                         "required": ["city"], "additionalProperties": false})";
  EXPECT_EQ(held(text), Json::parse(text));
  EXPECT_EQ(held(text, true), Json::parse(text));
}

TEST(ToolSchema, NoneMeansNoArguments) {
  EXPECT_EQ(held("{}"), Json::parse(R"({"type": "object", "properties": {}})"));
}

TEST(ToolSchema, KeepsTheTypeOfWhatItCannotHold) {
  const char* text = R"({"type": "object", "required": ["n"],
      "properties": {"n": {"type": "integer", "multipleOf": 3},
                     "unit": {"enum": ["C", "F"]},
                     "other": {"not": {"type": "string"}}}})";
  EXPECT_EQ(held(text), Json::parse(R"({"type": "object", "required": ["n"],
      "properties": {"n": {"type": "integer"}, "unit": {"enum": ["C", "F"]}, "other": {}}})"));
  EXPECT_EQ(refused(text, true), ErrorKind::kUnsupported);
}

TEST(ToolSchema, FollowsDefinitions) {
  const char* text =
      R"({"type": "object", "$defs": {"P": {"type": "integer"}}, "dependentRequired": {},
      "properties": {"p": {"$ref": "#/$defs/P"}}})";
  EXPECT_EQ(held(text)["properties"]["p"], Json::parse(R"({"$ref": "#/$defs/P"})"));
  EXPECT_EQ(held(text)["$defs"]["P"]["type"], "integer");
}

TEST(ToolSchema, AtLeastHoldsToAnObject) {
  const Json any = Json::parse(R"({"type": "object"})");
  EXPECT_EQ(held(R"({"type": "object", "patternProperties": {"^a": {}}})"), any);
  EXPECT_EQ(held(R"({"description": "whatever"})"), any);
}

TEST(ToolSchema, RefusesWhatIsNone) {
  EXPECT_EQ(refused("["), ErrorKind::kInvalidArgument);
  EXPECT_EQ(refused("[]"), ErrorKind::kInvalidArgument);
  EXPECT_EQ(refused(R"({"type": "string"})"), ErrorKind::kInvalidArgument);
  EXPECT_EQ(refused(R"({"type": "object", "properties": 3})"), ErrorKind::kInvalidArgument);
  EXPECT_EQ(refused(std::string(65, ' ').append(70'000, ' ') + "{}"), ErrorKind::kLimit);
  std::string deep;
  for (int i = 0; i < 500; ++i) deep += R"({"items":)";
  EXPECT_EQ(refused(deep + "{}" + std::string(500, '}')), ErrorKind::kInvalidArgument);
}

}  // namespace
}  // namespace llmpatch
