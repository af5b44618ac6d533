#include "serve/api_error.h"

#include <utility>

namespace llmpatch {
namespace {

const char* type_of(int status) {
  if (status == 403) return "permission_error";
  if (status == 429) return "rate_limit_error";
  return status >= 500 ? "server_error" : "invalid_request_error";
}

// The hint is for the operator's command line; clients get the message.
ApiError from(const Error& error, int status, const char* code) {
  return {status, error.message, code, ""};
}

}  // namespace

Json ApiError::body() const {
  const auto text_or_null = [](const std::string& text) {
    return text.empty() ? Json() : Json(text);
  };
  return {{"error",
           {{"message", message},
            {"type", type_of(status)},
            {"param", text_or_null(param)},
            {"code", text_or_null(code)}}}};
}

ApiError field_error(const Error& error) {
  ApiError made = from(error, 400, "invalid_value");
  made.param = error.where;
  if (!error.where.empty()) made.message = error.where + ": " + error.message;
  switch (error.kind) {
    case ErrorKind::kCorrupt:
      made.code = "invalid_json";
      break;
    case ErrorKind::kNotFound:
      made.code = "unknown_parameter";
      break;
    case ErrorKind::kUnmet:
      made.code = "missing_parameter";
      break;
    case ErrorKind::kUnsupported:
      made.code = "unsupported_parameter";
      break;
    default:
      break;
  }
  return made;
}

ApiError stack_error(const Error& error) {
  switch (error.kind) {
    case ErrorKind::kInvalidArgument:
      return from(error, 400, "patch_conflict");
    case ErrorKind::kMismatch:
      return from(error, 400, "patch_mismatch");
    case ErrorKind::kNotFound:
      return from(error, 404, "patch_not_found");
    case ErrorKind::kUntrusted:
    case ErrorKind::kUnverifiable:
      return from(error, 403, "patch_untrusted");
    case ErrorKind::kDenied:
      return from(error, 503, "patch_revoked");
    case ErrorKind::kUnmet:
      return from(error, 503, "no_active_patch");
    default:
      return from(error, 503, "patch_unavailable");
  }
}

ApiError engine_error(const Error& error) {
  switch (error.kind) {
    case ErrorKind::kInvalidArgument:
    case ErrorKind::kUnsupported:
      return from(error, 400, "invalid_value");
    case ErrorKind::kLimit:
      return from(error, 429, "queue_full");
    default:
      return from(error, 500, "internal");
  }
}

ApiError share_error(const Error& error) {
  return from(error, 429, error.kind == ErrorKind::kDenied ? "key_queue_full" : "queue_full");
}

ApiError general_error(const Error& error) {
  const int status = error_kind_info(error.kind).http_status;
  const char* code = "internal";
  switch (status) {
    case 400:
      code = "invalid_value";
      break;
    case 403:
      code = error.kind == ErrorKind::kUntrusted ? "patch_untrusted" : "denied";
      break;
    case 404:
      code = "not_found";
      break;
    case 409:
      code = "conflict";
      break;
    case 422:
      code = "corrupt";
      break;
    case 429:
      code = "queue_full";
      break;
    case 501:
      return from(error, 400, "unsupported_parameter");
    case 503:
      code = "unverifiable";
      break;
    default:
      break;
  }
  return from(error, status, code);
}

ApiError http_error(int status, std::string message, std::string code) {
  if (code.empty()) {
    switch (status) {
      case 408:
        code = "timeout";
        break;
      case 413:
      case 414:
      case 431:
        code = "too_large";
        break;
      default:
        code = "bad_request";
        break;
    }
  }
  return {status, std::move(message), std::move(code), ""};
}

}  // namespace llmpatch
