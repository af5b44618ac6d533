// Adapters in libllama's hands.
#pragma once

#include <llama.h>

#include <memory>
#include <vector>

#include "base/result.h"
#include "runtime/adapters.h"
#include "runtime/control_vector.h"
#include "runtime/model.h"

namespace llmpatch {

// Must outlive the contexts it was applied to, and the model must outlive it. libllama keeps a list
// of a model's LoRA adapters, which it reads whenever it plans a graph: no other thread may use the
// model while adapters are loaded or destroyed.
class LoadedAdapters {
 public:
  // Errors of read_lora and read_control_vector; kInvalidArgument: a scale that is not finite.
  static Result<LoadedAdapters> load(const Model& model, const Adapters& adapters);

  // For everything that `context`, one of the model, decodes from now on. What has scale 0 is left
  // out of its graphs.
  Status apply(llama_context* context) const;

 private:
  struct Free {
    void operator()(llama_adapter_lora* adapter) const { llama_adapter_lora_free(adapter); }
  };
  LoadedAdapters() = default;

  std::vector<std::unique_ptr<llama_adapter_lora, Free>> lora_;
  std::vector<float> scales_;
  Directions directions_;  // no values: none
  int width_ = 0;
};

}  // namespace llmpatch
