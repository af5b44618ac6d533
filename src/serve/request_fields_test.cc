#include "serve/request_fields.h"

#include <gtest/gtest.h>

namespace llmpatch {
namespace {

// What reading one field of `text` gives: the error's field and kind.
struct Outcome {
  ErrorKind kind;
  std::string where, message;
};
template <class Read>
Outcome outcome(const char* text, const Read& read) {
  const Json json = Json::parse(text);
  RequestFields fields(json, "");
  read(fields);
  const Status status = fields.finish();
  EXPECT_FALSE(status.ok()) << text;
  if (status.ok()) return {};
  return {status.error().kind, status.error().where, status.error().message};
}

TEST(RequestFields, ReadsWhatIsGivenAndLeavesTheRest) {
  const Json json = Json::parse(R"({"a": true, "b": 1.5, "c": -3, "d": "x", "e": null})");
  RequestFields fields(json, "");
  bool a = false, other = true;
  double b = 0;
  int c = 0;
  std::string d, e = "kept";
  fields.boolean("a", a);
  fields.boolean("other", other);
  fields.number("b", 0, 2, b);
  fields.integer("c", -3, 3, c);
  fields.text("d", 1, d);
  fields.text("e", 1, e);
  EXPECT_TRUE(fields.finish().ok());
  EXPECT_TRUE(a);
  EXPECT_TRUE(other);
  EXPECT_EQ(b, 1.5);
  EXPECT_EQ(c, -3);
  EXPECT_EQ(d, "x");
  EXPECT_EQ(e, "kept");  // null counts as not given
}

TEST(RequestFields, NamesAnUnknownField) {
  const Outcome found = outcome(R"({"colour": 1})", [](RequestFields&) {});
  EXPECT_EQ(found.kind, ErrorKind::kNotFound);
  EXPECT_EQ(found.where, "colour");
}

TEST(RequestFields, NamesAFieldWithinAnother) {
  const Json json = Json::parse(R"({"include": 1})");
  RequestFields fields(json, "options");
  bool include = false;
  fields.boolean("include", include);
  EXPECT_EQ(fields.finish().error().where, "options.include");
}

TEST(RequestFields, ChecksTypesAndLimits) {
  int integer = 0;
  double number = 0;
  bool boolean = false;
  std::string text;
  std::vector<std::string> texts;
  const auto read_integer = [&](RequestFields& f) { f.integer("v", 0, 9, integer); };
  for (const char* json : {R"({"v": 10})", R"({"v": -1})", R"({"v": 1.0})", R"({"v": "1"})",
                           R"({"v": true})", R"({"v": 18446744073709551615})"}) {
    EXPECT_EQ(outcome(json, read_integer).kind, ErrorKind::kInvalidArgument) << json;
  }
  const auto read_number = [&](RequestFields& f) { f.number("v", 0, 1, number); };
  for (const char* json : {R"({"v": 1.01})", R"({"v": -0.5})", R"({"v": "0"})", R"({"v": []})"}) {
    EXPECT_EQ(outcome(json, read_number).kind, ErrorKind::kInvalidArgument) << json;
  }
  const auto read_boolean = [&](RequestFields& f) { f.boolean("v", boolean); };
  EXPECT_EQ(outcome(R"({"v": 1})", read_boolean).kind, ErrorKind::kInvalidArgument);
  const auto read_text = [&](RequestFields& f) { f.text("v", 3, text); };
  EXPECT_EQ(outcome(R"({"v": "four"})", read_text).kind, ErrorKind::kInvalidArgument);
  EXPECT_EQ(outcome(R"({"v": 4})", read_text).kind, ErrorKind::kInvalidArgument);
  const auto read_texts = [&](RequestFields& f) { f.texts("v", 2, texts); };
  for (const char* json : {R"({"v": "a"})", R"({"v": ["a", 1]})", R"({"v": ["a", "b", "c"]})"}) {
    EXPECT_EQ(outcome(json, read_texts).kind, ErrorKind::kInvalidArgument) << json;
  }
}

TEST(RequestFields, RefusesByName) {
  const Outcome refused = outcome(R"({"tools": []})", [](RequestFields& f) {
    f.refuse({"audio", "tools"}, "no");
  });
  EXPECT_EQ(refused.kind, ErrorKind::kUnsupported);
  EXPECT_EQ(refused.where, "tools");
  const auto only = [](RequestFields& f) { f.accept_only("store", false); };
  EXPECT_EQ(outcome(R"({"store": true})", only).kind, ErrorKind::kUnsupported);
  const Json fine = Json::parse(R"({"store": false})");
  RequestFields fields(fine, "");
  only(fields);
  EXPECT_TRUE(fields.finish().ok());
}

TEST(RequestFields, KeepsTheFirstError) {
  const Outcome found = outcome(R"({"a": 1, "b": 2})", [](RequestFields& f) {
    bool value = false;
    f.boolean("a", value);
    f.boolean("b", value);
  });
  EXPECT_EQ(found.where, "a");
}

TEST(RequestFields, MissesWhatIsRequired) {
  const Outcome found = outcome("{}", [](RequestFields& f) { f.require("model"); });
  EXPECT_EQ(found.kind, ErrorKind::kUnmet);
  EXPECT_EQ(found.where, "model");
}

TEST(RequestFields, RefusesUnknownMembersThatAreGiven) {
  const auto none = [](RequestFields&) {};
  const Outcome found = outcome(R"({"a": null, "b": false})", none);
  EXPECT_EQ(found.kind, ErrorKind::kNotFound);
  EXPECT_EQ(found.where, "b");
  const Json nothing = Json::parse(R"({"a": null})");
  EXPECT_TRUE(RequestFields(nothing, "").finish().ok());
}

TEST(RequestFields, IsOfAnObject) {
  const Outcome found = outcome("[1]", [](RequestFields&) {});
  EXPECT_EQ(found.kind, ErrorKind::kInvalidArgument);
}

}  // namespace
}  // namespace llmpatch
