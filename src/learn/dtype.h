// The types numbers are kept in beside the matrix products.
#pragma once

#include <torch/types.h>

namespace llmpatch {

// What norms, sums and the residual stream are computed in when matrix products have type `dtype`:
// f64 for f64, else f32.
inline torch::Dtype work_dtype(torch::Dtype dtype) {
  return dtype == torch::kDouble ? torch::kDouble : torch::kFloat32;
}

}  // namespace llmpatch
