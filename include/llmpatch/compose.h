// How several patches act together.
#pragma once

namespace llmpatch {

enum class Compose {
  kSequential,  // the rows of one behind those of the other, in order
  kParallel,    // each at positions 0 .. n-1 as if it were alone; has no order
};

}  // namespace llmpatch
