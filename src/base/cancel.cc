#include "base/cancel.h"

namespace llmpatch {

Status check_cancelled(const CancelFlag* cancel, const char* where) {
  if (cancel != nullptr && cancel->raised()) {
    return make_error(ErrorKind::kCancelled, where, "interrupted");
  }
  return {};
}

}  // namespace llmpatch
