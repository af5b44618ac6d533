#include "serve/request_fields.h"

#include <sstream>

#include "base/quote.h"
#include "base/utf8.h"

namespace llmpatch {
namespace {

std::string range(double low, double high) {
  std::ostringstream text;
  text << "from " << low << " to " << high;
  return text.str();
}

}  // namespace

Error bad_field(std::string field, std::string message) {
  return make_error(ErrorKind::kInvalidArgument, std::move(field), std::move(message));
}

std::string shown(const Json& value) {
  switch (value.type()) {
    case Json::value_t::object:
      return "an object";
    case Json::value_t::array:
      return "a list";
    case Json::value_t::string:
      return quote(value.get_ref<const std::string&>());
    default:
      return json_line(value);
  }
}

RequestFields::RequestFields(const Json& object, std::string path)
    : object_(object), path_(std::move(path)) {
  if (!object_.is_object()) {
    error_ = bad_field(path_, "found " + shown(object_) + ", expected an object");
  }
}

std::string RequestFields::path_of(std::string_view name) const {
  return path_.empty() ? std::string(name) : path_ + "." + std::string(name);
}

const Json* RequestFields::take(const char* name) {
  taken_.insert(name);
  if (error_) return nullptr;
  const auto found = object_.find(name);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

const Json* RequestFields::require(const char* name) {
  const Json* value = take(name);
  if (value == nullptr) {
    fail(make_error(ErrorKind::kUnmet, path_of(name), "found nothing, expected it to be given"));
  }
  return value;
}

void RequestFields::boolean(const char* name, bool& value) {
  const Json* found = take(name);
  if (found == nullptr) return;
  if (!found->is_boolean()) {
    return fail(name, "found " + shown(*found) + ", expected true or false");
  }
  value = found->get<bool>();
}

void RequestFields::text(const char* name, std::size_t max_characters, std::string& value) {
  const Json* found = take(name);
  if (found == nullptr) return;
  if (!found->is_string()) return fail(name, "found " + shown(*found) + ", expected a text");
  const auto& text = found->get_ref<const std::string&>();
  if (const std::size_t length = count_characters(text); length > max_characters) {
    return fail(name, "found " + std::to_string(length) + " characters, expected at most " +
                          std::to_string(max_characters));
  }
  value = text;
}

void RequestFields::texts(const char* name, std::size_t max_count,
                          std::vector<std::string>& value) {
  const Json* found = take(name);
  if (found == nullptr) return;
  if (!found->is_array())
    return fail(name, "found " + shown(*found) + ", expected a list of texts");
  if (found->size() > max_count) {
    return fail(name, "found " + std::to_string(found->size()) + " texts, expected at most " +
                          std::to_string(max_count));
  }
  std::vector<std::string> texts;
  for (const Json& item : *found) {
    if (!item.is_string()) return fail(name, "found " + shown(item) + " in it, expected a text");
    texts.push_back(item.get<std::string>());
  }
  value = std::move(texts);
}

std::optional<double> RequestFields::read_number(const char* name, double low, double high) {
  const Json* found = take(name);
  if (found == nullptr) return std::nullopt;
  const bool fits =
      found->is_number() && found->get<double>() >= low && found->get<double>() <= high;
  if (!fits) {
    fail(name, "found " + shown(*found) + ", expected a number " + range(low, high));
    return std::nullopt;
  }
  return found->get<double>();
}

std::optional<std::int64_t> RequestFields::read_integer(const char* name, std::int64_t low,
                                                        std::int64_t high) {
  const Json* found = take(name);
  if (found == nullptr) return std::nullopt;
  // An unsigned beyond int64 would wrap.
  const bool fits =
      found->is_number_integer() &&
      (!found->is_number_unsigned() || found->get<std::uint64_t>() <= std::uint64_t{INT64_MAX}) &&
      found->get<std::int64_t>() >= low && found->get<std::int64_t>() <= high;
  if (!fits) {
    fail(name, "found " + shown(*found) + ", expected an integer from " + std::to_string(low) +
                   " to " + std::to_string(high));
    return std::nullopt;
  }
  return found->get<std::int64_t>();
}

void RequestFields::refuse(std::initializer_list<const char*> names, const char* why) {
  for (const char* name : names) {
    if (take(name) != nullptr) {
      fail(make_error(ErrorKind::kUnsupported, path_of(name), why));
    }
  }
}

void RequestFields::accept_only(const char* name, const Json& only) {
  const Json* found = take(name);
  if (found == nullptr || *found == only) return;
  fail(make_error(
      ErrorKind::kUnsupported, path_of(name),
      "found " + shown(*found) + ", expected " + json_line(only) + ": nothing else is supported"));
}

void RequestFields::fail(const char* name, std::string message) {
  fail(bad_field(path_of(name), std::move(message)));
}

void RequestFields::fail(Error error) {
  if (!error_) error_ = std::move(error);
}

Status RequestFields::finish() {
  if (error_) return *error_;
  for (const auto& [name, value] : object_.items()) {
    if (value.is_null() || taken_.contains(name)) continue;
    return make_error(ErrorKind::kNotFound, path_.empty() ? name : path_ + "." + name,
                      "found an unknown field, expected only those of docs/api.md");
  }
  return {};
}

}  // namespace llmpatch
