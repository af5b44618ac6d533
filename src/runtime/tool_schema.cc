#include "runtime/tool_schema.h"

#include <array>

#include "base/json.h"
#include "base/quote.h"
#include "runtime/json_pattern.h"
#include "runtime/json_schema_check.h"

namespace llmpatch {
namespace {

// More of them are not looked at one by one: each is checked with all definitions.
constexpr std::size_t kMaxProperties = 100;
constexpr std::array kDefinitions{"$defs", "definitions"};

// As the converter takes it.
Result<std::string> convertible(std::string_view schema) {
  LLMPATCH_TRY(check_json_schema(schema));
  return with_grammar_patterns(schema);
}

OrderedJson any_object() { return {{"type", "object"}}; }

// What the schema says of the type alone.
OrderedJson type_alone(const OrderedJson& schema) {
  const auto type = schema.is_object() ? schema.find("type") : schema.end();
  if (!schema.is_object() || type == schema.end() || !type->is_string()) {
    return OrderedJson::object();
  }
  return {{"type", *type}};
}

// With the definitions that its references may lead to.
OrderedJson with_definitions(OrderedJson schema, const OrderedJson& root) {
  for (const char* key : kDefinitions) {
    const auto found = root.find(key);
    if (found != root.end()) schema[key] = *found;
  }
  return schema;
}

OrderedJson relaxed(const OrderedJson& schema) {
  OrderedJson held = with_definitions(any_object(), schema);
  held["properties"] = OrderedJson::object();
  for (const auto& [name, property] : schema["properties"].items()) {
    const bool fits =
        property.is_object() && convertible(with_definitions(property, schema).dump()).ok();
    held["properties"][name] = fits ? property : type_alone(property);
  }
  if (const auto required = schema.find("required"); required != schema.end()) {
    held["required"] = *required;
  }
  return held;
}

}  // namespace

Result<std::string> tool_arguments_schema(std::string_view parameters, bool strict) {
  // Everything that could go wrong with its form, and its size.
  const Result<std::string> whole = convertible(parameters);
  if (!whole.ok() && whole.error().kind != ErrorKind::kUnsupported) return whole.error();
  const OrderedJson schema = OrderedJson::parse(parameters);
  if (schema.empty()) return OrderedJson{{"type", "object"}, {"properties", Json::object()}}.dump();
  const auto type = schema.find("type");
  if (type != schema.end() && *type != "object") {
    return make_error(ErrorKind::kInvalidArgument, "JSON schema",
                      "type: found " + quote(type->dump()) + ", expected \"object\"");
  }
  if (whole.ok()) {
    // A schema that says nothing of the type allows more than a function takes.
    return type == schema.end() && !schema.contains("properties") ? any_object().dump() : *whole;
  }
  if (strict) return whole.error();
  const auto properties = schema.find("properties");
  if (properties != schema.end() && properties->is_object() &&
      properties->size() <= kMaxProperties) {
    const Result<std::string> held = convertible(relaxed(schema).dump());
    if (held.ok()) return *held;
  }
  return any_object().dump();
}

}  // namespace llmpatch
