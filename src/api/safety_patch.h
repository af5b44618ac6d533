// What stands behind the public SafetyPatch.
#pragma once

#include "llmpatch/patch.h"
#include "patch/patch.h"

namespace llmpatch {

struct SafetyPatch::State {
  PatchInfo info;
  Patch patch;
};

}  // namespace llmpatch
