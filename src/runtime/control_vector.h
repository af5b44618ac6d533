// Control vectors from outside, checked against the model they steer.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "runtime/adapters.h"

namespace llmpatch {

// What a control vector must fit.
struct SteeredModel {
  std::string architecture;
  std::size_t layers = 0;  // blocks
  std::size_t width = 0;   // of the residual stream
};

// The directions of a file, scaled, as llama_set_adapter_cvec takes them.
struct Directions {
  std::vector<float> values;  // [layers - 1, width], from block 1 on; zeros where the file has none
  int first_layer = 1, last_layer = 1;  // both included
};

// kNotFound and the other errors of GgufFile::open; kInvalidArgument: no control vector, but
// another kind of GGUF file, a layer range outside the model, a scale that is not finite;
// kMismatch: for another architecture, another width or more layers; kCorrupt: no direction, one
// of another type or shape, another tensor beside them, values that are not finite.
Result<Directions> read_control_vector(const ControlVector& wanted, const SteeredModel& model);

}  // namespace llmpatch
