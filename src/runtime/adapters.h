// What changes the model itself for everything an Engine runs, prefixes and prompts alike: the
// published alternatives to a patch, to be measured beside it.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

namespace llmpatch {

// A LoRA adapter as GGUF (general.type "adapter", adapter.type "lora"), as llama.cpp's
// convert_lora_to_gguf.py writes it. To the weight W of every matrix that it names it adds
// scale * alpha / rank * B A, unmerged: as two products more.
struct LoraAdapter {
  std::filesystem::path path;
  float scale = 1;

  bool operator==(const LoraAdapter&) const = default;
};

// A control vector as GGUF (architecture "controlvector", tensors `direction.N`), as llama.cpp's
// cvector-generator and `llmpatch learn --method steering` write it. scale * direction.N is added
// to what block N (counted from 0) puts out, at every position. libllama has no place for one
// behind block 0.
struct ControlVector {
  std::filesystem::path path;
  float scale = 1;
  // The blocks it is added behind, both included; 0: from the first possible one (1), up to the
  // last.
  int first_layer = 0, last_layer = 0;

  bool operator==(const ControlVector&) const = default;
};

struct Adapters {
  std::vector<LoraAdapter> lora;  // their changes add up
  std::optional<ControlVector> control_vector;

  bool empty() const { return lora.empty() && !control_vector; }
  bool operator==(const Adapters&) const = default;
};

}  // namespace llmpatch
