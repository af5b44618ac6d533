// What the rooms need of errors beside include/llmpatch/result.h: making them, handing them on, and
// the one table that maps a kind to its name, exit code and HTTP status.
#pragma once

#include <string>
#include <utility>

#include "llmpatch/result.h"

namespace llmpatch {

// One row of the table of kinds.
struct ErrorKindInfo {
  ErrorKind kind;
  const char* name;
  int exit_code;
  int http_status;
};

// The row of `kind`. Total: every enumerator has one (a test holds this).
const ErrorKindInfo& error_kind_info(ErrorKind kind);

// Builds an Error; `message` follows the formula "what: found X, expected Y".
Error make_error(ErrorKind kind, std::string where, std::string message, std::string hint = "");

// Returns the error of `expression` (a Status or Result) from the current function, if it has one.
#define LLMPATCH_TRY(expression) \
  LLMPATCH_TRY_INNER_(LLMPATCH_CONCAT_(llmpatch_status_, __LINE__), expression)
#define LLMPATCH_TRY_INNER_(status, expression)         \
  do {                                                  \
    auto status = (expression);                         \
    if (!status.ok()) return std::move(status).error(); \
  } while (false)

#define LLMPATCH_CONCAT_INNER_(a, b) a##b
#define LLMPATCH_CONCAT_(a, b) LLMPATCH_CONCAT_INNER_(a, b)
// `LLMPATCH_ASSIGN(auto x, f());` declares x as f()'s value or returns f()'s error.
#define LLMPATCH_ASSIGN(declaration, expression) \
  LLMPATCH_ASSIGN_INNER_(LLMPATCH_CONCAT_(llmpatch_result_, __LINE__), declaration, expression)
#define LLMPATCH_ASSIGN_INNER_(result, declaration, expression) \
  auto result = (expression);                                   \
  if (!result.ok()) return std::move(result).error();           \
  declaration = std::move(result).value()

}  // namespace llmpatch
