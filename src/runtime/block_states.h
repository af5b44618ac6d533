// What the blocks of a model put out, read while libllama computes.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "runtime/model.h"

namespace llmpatch {

// Means of residual states, one row a block.
struct BlockStates {
  std::size_t blocks = 0, width = 0;
  std::vector<float> values;  // [blocks, width], block 0 first

  std::span<const float> of(std::size_t block) const {
    return std::span(values).subspan(block * width, width);
  }
};

// Not thread-safe. Borrows the model.
class BlockReader {
 public:
  // Reads texts of up to `longest` tokens; `exact` as in EngineOptions. kLimit as Engine::create.
  static Result<std::unique_ptr<BlockReader>> create(const Model& model, std::size_t longest,
                                                     int threads, bool exact);
  ~BlockReader();

  // The mean over the tokens of `answer` (not empty) of what each block puts out at them, behind
  // `prompt`: where a control vector's direction of that block is added. kUnsupported: an
  // architecture whose blocks cannot be told; kLimit: a longer text.
  Result<BlockStates> mean(const Tokens& prompt, const Tokens& answer);

 private:
  struct State;
  explicit BlockReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace llmpatch
