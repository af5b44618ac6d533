// Errors as values. Every function of llmpatch that can fail returns Result<T> or Status; the kinds
// are few and closed. No function prints, aborts or exits; of exceptions, only those of the
// standard library's memory (std::bad_alloc) get out.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "llmpatch/export.h"

namespace llmpatch {

// What kind of failure it is. The numbers are the program's exit codes and never change.
enum class ErrorKind {
  kInternal = 1,         // a bug of ours, or a library failed in a way it should not
  kInvalidArgument = 2,  // the caller asked for something that makes no sense
  kNotFound = 3,         // a file, tensor, judge ... that was named does not exist
  kCorrupt = 4,          // a file is not what its format says
  kUntrusted = 5,        // checked, and not valid
  kUnverifiable = 6,     // could not be checked
  kMismatch = 7,         // two things do not belong together (patch and model)
  kUnsupported = 8,      // valid, but not something llmpatch can do
  kLimit = 9,            // a size, count, time or queue limit
  kIo = 10,              // the operating system refused (disk full, permission)
  kExists = 11,          // would overwrite
  kDenied = 12,          // not allowed
  kUnmet = 13,           // a stated requirement was not met (a caught patch)
  kCancelled = 130,      // interrupted by the user
};

// An error: "[where] what: found X, expected Y" with an optional hint on a line of its own.
struct Error {
  ErrorKind kind = ErrorKind::kInternal;
  std::string where;    // the part that noticed, such as "gguf"
  std::string message;  // "what: found X, expected Y"; names the file it is about
  std::string hint;     // what the user can do; may be empty

  // "[where] message", and "\nhint: …" when there is a hint.
  LLMPATCH_EXPORT std::string to_string() const;
};

// A value or an Error. Must be looked at. Not thread-safe itself; copies are independent.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}
  Result(Error error) : state_(std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  // The value; only when ok() (std::bad_variant_access otherwise).
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  // The error; only when !ok().
  const Error& error() const& { return std::get<1>(state_); }
  Error&& error() && { return std::get<1>(std::move(state_)); }

 private:
  std::variant<T, Error> state_;
};

// Success, or an Error.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Error& error() const& { return *error_; }
  Error&& error() && { return std::move(*error_); }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

}  // namespace llmpatch
