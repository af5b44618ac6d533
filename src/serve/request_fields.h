// The members of a JSON object that a client sent, taken one by one: each is read within its form
// and limits, and what nobody asked for is an error. Internal to serve/.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace llmpatch {

// An error about one field: its `where` is the field, its message says what is wrong with it.
Error bad_field(std::string field, std::string message);
// `value` as a message shows it, on one line and not long.
std::string shown(const Json& value);

// Keeps the first error: once there is one, every other call leaves its value alone. A member that
// is null counts as not given. Errors are kInvalidArgument (value or type), kUnmet (missing),
// kUnsupported (refused), kNotFound (unknown); `where` is the field's path, such as
// "stream_options.include_usage".
class RequestFields {
 public:
  // `object` must outlive this; `path` is where it stands, empty for the body.
  RequestFields(const Json& object, std::string path);

  // The member, or null where it is not given.
  const Json* take(const char* name);
  // The same, and an error where it is not given.
  const Json* require(const char* name);

  // Each sets `value` where the field is given.
  void boolean(const char* name, bool& value);
  void text(const char* name, std::size_t max_characters, std::string& value);
  void texts(const char* name, std::size_t max_count, std::vector<std::string>& value);
  template <std::floating_point T>
  void number(const char* name, double low, double high, T& value) {
    if (const auto read = read_number(name, low, high)) value = static_cast<T>(*read);
  }
  template <class T>
  requires std::integral<T>
  void integer(const char* name, std::int64_t low, std::int64_t high, T& value) {
    if (const auto read = read_integer(name, low, high)) value = static_cast<T>(*read);
  }
  template <class T>
  void integer(const char* name, std::int64_t low, std::int64_t high, std::optional<T>& value) {
    if (const auto read = read_integer(name, low, high)) value = static_cast<T>(*read);
  }

  // Refuses each of these that is given; `why` ends the message.
  void refuse(std::initializer_list<const char*> names, const char* why);
  // Refuses the field unless it is `only`.
  void accept_only(const char* name, const Json& only);

  // Notes an error of the caller's, about a field by its name here.
  void fail(const char* name, std::string message);
  void fail(Error error);
  bool ok() const { return !error_; }
  std::string path_of(std::string_view name) const;

  // The first error; without one, kNotFound for a member that is given and nobody took.
  Status finish();

 private:
  std::optional<double> read_number(const char* name, double low, double high);
  std::optional<std::int64_t> read_integer(const char* name, std::int64_t low, std::int64_t high);

  const Json& object_;
  std::string path_;
  std::set<std::string, std::less<>> taken_;
  std::optional<Error> error_;
};

}  // namespace llmpatch
