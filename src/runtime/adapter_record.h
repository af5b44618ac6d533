// What adapters are, for records and caches.
#pragma once

#include "base/json.h"
#include "base/result.h"
#include "runtime/adapters.h"

namespace llmpatch {

// {"lora": [{"file", "sha256", "scale"}], "control_vector": {"file", "sha256", "scale", "layers":
// [first, last]}}, `file` without its folder; members that there are none of are left out.
// kNotFound and kIo of reading the files.
Result<Json> describe(const Adapters& adapters);

}  // namespace llmpatch
