#include "runtime/json_schema_check.h"

#include <algorithm>
#include <array>
#include <set>
#include <string>

#include "base/json.h"
#include "base/quote.h"

namespace llmpatch {
namespace {

constexpr std::size_t kMaxBytes = 64 << 10;
constexpr std::size_t kMaxProperties = 512;     // in the whole schema
constexpr std::size_t kMaxOwnProperties = 100;  // of one object
constexpr std::size_t kMaxNameBytes = 256;

constexpr const char* kWhere = "JSON schema";

Error refused(ErrorKind kind, std::string message) {
  return make_error(kind, kWhere, std::move(message));
}

// Keywords that say nothing about which values are allowed.
bool is_annotation(std::string_view key) {
  static constexpr std::array kKeys{"$schema", "$id",      "$comment", "title",      "description",
                                    "default", "examples", "$defs",    "definitions"};
  return std::find(kKeys.begin(), kKeys.end(), key) != kKeys.end();
}

// Keywords that the converter heeds where the schema is of this type.
bool is_heeded(std::string_view key, const std::set<std::string>& types) {
  const auto is = [&](const char* type) { return types.contains(type); };
  if (key == "type") return true;
  if (key == "properties" || key == "required" || key == "additionalProperties") {
    return is("object");
  }
  if (key == "items" || key == "prefixItems" || key == "minItems" || key == "maxItems") {
    return is("array");
  }
  if (key == "minLength" || key == "maxLength" || key == "format" || key == "pattern") {
    return is("string");
  }
  if (key == "minimum" || key == "maximum" || key == "exclusiveMinimum" ||
      key == "exclusiveMaximum") {
    return is("integer") && !is("number");
  }
  return false;
}

class Checker {
 public:
  explicit Checker(const Json& root) : root_(root) {}

  Status check(const Json& schema, bool within_all_of) {
    if (!schema.is_object()) {
      return refused(ErrorKind::kInvalidArgument, "found something else, expected an object");
    }
    // One keyword decides, in the converter's order; beside it only annotations.
    for (const char* key : {"$ref", "oneOf", "anyOf", "const", "enum", "allOf"}) {
      const auto found = schema.find(key);
      if (found == schema.end()) continue;
      // `type` beside const and enum is a habit, and says no more.
      const bool may_have_type =
          std::string_view(key) == "const" || std::string_view(key) == "enum";
      for (const auto& [other, value] : schema.items()) {
        if (other == key || is_annotation(other)) continue;
        if (may_have_type && other == "type" && value.is_string()) continue;
        return unsupported(other + " beside " + key);
      }
      LLMPATCH_TRY(check_decisive(key, *found, within_all_of));
      return check_definitions(schema);
    }
    LLMPATCH_TRY(check_typed(schema, within_all_of));
    return check_definitions(schema);
  }

 private:
  static Error unsupported(const std::string& keyword) {
    return refused(ErrorKind::kUnsupported,
                   "found " + quote(keyword) + ", which cannot be turned into a grammar");
  }

  Status check_decisive(std::string_view key, const Json& value, bool within_all_of) {
    if (key == "$ref") {
      if (within_all_of) return unsupported("$ref within allOf");
      return check_reference(value);
    }
    if (key == "const" || key == "enum") return {};
    if (!value.is_array()) {
      return refused(ErrorKind::kInvalidArgument,
                     std::string(key) + ": found no list, expected one of schemas");
    }
    for (const Json& each : value) LLMPATCH_TRY(check(each, within_all_of || key == "allOf"));
    return {};
  }

  // What is referred to is checked where it stands; here only that it is there, and no reference.
  Status check_reference(const Json& reference) {
    if (!reference.is_string() || !reference.get_ref<const std::string&>().starts_with("#/")) {
      return refused(ErrorKind::kUnsupported, "$ref: found " + json_line(reference) +
                                                  ", expected one that begins with \"#/\"");
    }
    const std::string_view text = reference.get_ref<const std::string&>();
    const Json* target = &root_;
    for (std::size_t at = 2; at <= text.size();) {
      const std::size_t end = std::min(text.find('/', at), text.size());
      const std::string name(text.substr(at, end - at));
      for (const char* value : {"const", "enum", "default", "examples"}) {
        if (name == value) return unsupported("$ref into " + name);
      }
      const auto found = target->is_object() ? target->find(name) : target->end();
      if (found == target->end()) {
        return refused(ErrorKind::kInvalidArgument, "$ref: found nothing at " + quote(text));
      }
      target = &*found;
      at = end + 1;
    }
    if (target->is_object() && target->contains("$ref")) {
      return unsupported("$ref to another $ref");
    }
    return target->is_object() && seen_.insert(target).second ? check(*target, false) : Status();
  }

  Status check_typed(const Json& schema, bool within_all_of) {
    std::set<std::string> types;
    const auto type = schema.find("type");
    if (type != schema.end()) {
      const Json list = type->is_array() ? *type : Json::array({*type});
      for (const Json& each : list) {
        // The same one twice would be converted twice, at every level.
        if (!each.is_string() || !types.insert(each.get<std::string>()).second) {
          return refused(ErrorKind::kInvalidArgument,
                         "type: found something else, expected a type or different ones");
        }
      }
    } else if (schema.contains("properties") || schema.contains("additionalProperties")) {
      types = {"object"};
    } else if (schema.contains("items") || schema.contains("prefixItems")) {
      types = {"array"};
    }
    for (const auto& [key, value] : schema.items()) {
      if (!is_annotation(key) && !is_heeded(key, types)) return unsupported(key);
    }
    if (const auto format = schema.find("format"); format != schema.end()) {
      static const std::set<Json> kFormats{"date", "time", "date-time", "uuid"};
      if (!kFormats.contains(*format)) return unsupported("format " + json_line(*format));
      if (schema.contains("minLength") || schema.contains("maxLength")) {
        return unsupported("a length beside format");
      }
    }
    if (const auto pattern = schema.find("pattern"); pattern != schema.end()) {
      if (!pattern->is_string()) {
        return refused(ErrorKind::kInvalidArgument, "pattern: found no text, expected one");
      }
      for (const char* other : {"minLength", "maxLength", "format"}) {
        if (schema.contains(other)) return unsupported(std::string(other) + " beside pattern");
      }
    }
    LLMPATCH_TRY(check_object(schema, within_all_of));
    for (const char* key : {"items", "prefixItems"}) {
      const auto items = schema.find(key);
      if (items == schema.end()) continue;
      if (items->is_array() && (schema.contains("minItems") || schema.contains("maxItems"))) {
        return unsupported("a count beside a list of items");
      }
      const Json list = items->is_array() ? *items : Json::array({*items});
      for (const Json& each : list) LLMPATCH_TRY(check(each, within_all_of));
    }
    if (schema.contains("items") && schema.contains("prefixItems")) {
      return unsupported("prefixItems beside items");
    }
    return {};
  }

  Status check_object(const Json& schema, bool within_all_of) {
    if (const auto additional = schema.find("additionalProperties");
        additional != schema.end() && additional->is_object()) {
      LLMPATCH_TRY(check(*additional, within_all_of));
    }
    const auto properties = schema.find("properties");
    if (properties == schema.end()) {
      return schema.contains("required") ? Status(unsupported("required without properties"))
                                         : Status();
    }
    if (!properties->is_object()) {
      return refused(ErrorKind::kInvalidArgument,
                     "properties: found something else, expected an object");
    }
    properties_ += properties->size();
    if (properties->size() > kMaxOwnProperties || properties_ > kMaxProperties) {
      return refused(ErrorKind::kLimit,
                     "properties: found more than " + std::to_string(kMaxOwnProperties) +
                         " in one object, or " + std::to_string(kMaxProperties) + " in all");
    }
    for (const auto& [name, value] : properties->items()) {
      if (name.size() > kMaxNameBytes) {
        return refused(ErrorKind::kLimit,
                       "properties: found a name of " + std::to_string(name.size()) +
                           " bytes, expected at most " + std::to_string(kMaxNameBytes));
      }
      LLMPATCH_TRY(check(value, within_all_of));
    }
    const auto required = schema.find("required");
    if (required == schema.end()) return {};
    for (const Json& name : *required) {
      if (!name.is_string() || !properties->contains(name.get<std::string>())) {
        return refused(ErrorKind::kInvalidArgument,
                       "required: found " + json_line(name) + ", expected names of properties");
      }
    }
    return {};
  }

  Status check_definitions(const Json& schema) {
    for (const char* key : {"$defs", "definitions"}) {
      const auto definitions = schema.find(key);
      if (definitions == schema.end()) continue;
      if (!definitions->is_object()) {
        return refused(ErrorKind::kInvalidArgument,
                       std::string(key) + ": found something else, expected an object");
      }
      for (const auto& [name, value] : definitions->items()) {
        if (seen_.insert(&value).second) LLMPATCH_TRY(check(value, false));
      }
    }
    return {};
  }

  const Json& root_;
  std::size_t properties_ = 0;
  std::set<const Json*> seen_;  // what references led to
};

}  // namespace

Status check_json_schema(std::string_view schema) {
  if (schema.size() > kMaxBytes) {
    return refused(ErrorKind::kLimit, "found " + std::to_string(schema.size()) +
                                          " bytes, expected at most " + std::to_string(kMaxBytes));
  }
  const Result<Json> parsed = parse_json(schema, kWhere);
  if (!parsed.ok()) return refused(ErrorKind::kInvalidArgument, parsed.error().message);
  return Checker(*parsed).check(*parsed, false);
}

}  // namespace llmpatch
