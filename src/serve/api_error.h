// Errors as OpenAI's API shapes them. Internal to serve/.
#pragma once

#include <string>

#include "base/json.h"
#include "base/result.h"

namespace llmpatch {

struct ApiError {
  int status = 500;
  std::string message;
  std::string code;   // docs/api.md lists them
  std::string param;  // the field it is about; empty: none

  // {"error": {message, type, param, code}}; the type follows from the status.
  Json body() const;
};

// An error of reading a request's fields: `where` is the field. Always 400 but for the kinds that
// request_fields.h does not use.
ApiError field_error(const Error& error);
// An error of resolving a stack of patches.
ApiError stack_error(const Error& error);
// An error of running a request that was understood.
ApiError engine_error(const Error& error);
// An error of QueueShares::take.
ApiError share_error(const Error& error);
// An error of changing the store, or of anything else: the kind's status.
ApiError general_error(const Error& error);
// The answer of the HTTP server where no handler runs (HttpErrorBody).
ApiError http_error(int status, std::string message, std::string code);

}  // namespace llmpatch
