#include "base/result.h"

#include <array>

namespace llmpatch {
namespace {

constexpr std::array<ErrorKindInfo, 14> kKinds{{
    {ErrorKind::kInternal, "internal", 1, 500},
    {ErrorKind::kInvalidArgument, "invalid argument", 2, 400},
    {ErrorKind::kNotFound, "not found", 3, 404},
    {ErrorKind::kCorrupt, "corrupt", 4, 422},
    {ErrorKind::kUntrusted, "untrusted", 5, 403},
    {ErrorKind::kUnverifiable, "unverifiable", 6, 503},
    {ErrorKind::kMismatch, "mismatch", 7, 409},
    {ErrorKind::kUnsupported, "unsupported", 8, 501},
    {ErrorKind::kLimit, "limit", 9, 429},
    {ErrorKind::kIo, "io", 10, 500},
    {ErrorKind::kExists, "exists", 11, 409},
    {ErrorKind::kDenied, "denied", 12, 403},
    {ErrorKind::kUnmet, "requirement not met", 13, 422},
    {ErrorKind::kCancelled, "cancelled", 130, 499},
}};

}  // namespace

const ErrorKindInfo& error_kind_info(ErrorKind kind) {
  for (const auto& info : kKinds) {
    if (info.kind == kind) return info;
  }
  return kKinds[0];
}

std::string Error::to_string() const {
  std::string text = "[" + where + "] " + message;
  if (!hint.empty()) text += "\nhint: " + hint;
  return text;
}

Error make_error(ErrorKind kind, std::string where, std::string message, std::string hint) {
  return Error{kind, std::move(where), std::move(message), std::move(hint)};
}

}  // namespace llmpatch
