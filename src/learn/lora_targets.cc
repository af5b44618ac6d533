#include "learn/lora_targets.h"

#include <algorithm>
#include <set>

#include "base/quote.h"

namespace llmpatch {
namespace {

constexpr LoraTarget kTargets[] = {
    {"q", "attn_q", "self_attn.q_proj"},   {"k", "attn_k", "self_attn.k_proj"},
    {"v", "attn_v", "self_attn.v_proj"},   {"o", "attn_output", "self_attn.o_proj"},
    {"gate", "ffn_gate", "mlp.gate_proj"}, {"up", "ffn_up", "mlp.up_proj"},
    {"down", "ffn_down", "mlp.down_proj"},
};

constexpr std::uint64_t kMaxLayers = 1024;

Error invalid(const std::string& message) {
  return make_error(ErrorKind::kInvalidArgument, "learn", message);
}

}  // namespace

std::span<const LoraTarget> lora_targets() { return kTargets; }

std::string TargetMatrix::tensor_name() const {
  return "blk." + std::to_string(layer) + "." + target->tensor + ".weight";
}

Status check_lora_targets(const std::vector<std::string>& names) {
  std::string known;
  for (const LoraTarget& target : kTargets) {
    known += (known.empty() ? "" : ", ") + std::string(target.name);
  }
  if (names.empty()) return invalid("LoRA targets: found none, expected some of " + known);
  std::set<std::string> seen;
  for (const std::string& name : names) {
    if (std::none_of(std::begin(kTargets), std::end(kTargets),
                     [&](const LoraTarget& target) { return name == target.name; })) {
      return invalid("LoRA targets: found " + quote(name) + ", expected some of " + known);
    }
    if (!seen.insert(name).second) {
      return invalid("LoRA targets: found " + quote(name) + " twice, expected it once");
    }
  }
  return {};
}

Result<std::vector<TargetMatrix>> find_target_matrices(const GgufFile& model,
                                                       const std::vector<std::string>& names,
                                                       std::int64_t rank) {
  LLMPATCH_ASSIGN(const std::string architecture, model.architecture());
  LLMPATCH_ASSIGN(const std::uint64_t layers, model.integer(architecture + ".block_count"));
  if (layers == 0 || layers > kMaxLayers) {
    return make_error(ErrorKind::kCorrupt, "learn",
                      model.path().string() + ": found " + std::to_string(layers) +
                          " layers, expected 1 to " + std::to_string(kMaxLayers));
  }
  std::vector<TargetMatrix> matrices;
  for (std::int64_t layer = 0; layer < static_cast<std::int64_t>(layers); ++layer) {
    for (const LoraTarget& target : kTargets) {
      if (std::find(names.begin(), names.end(), target.name) == names.end()) continue;
      TargetMatrix matrix{&target, layer, 0, 0};
      const GgufTensor* tensor = model.find(matrix.tensor_name());
      if (tensor == nullptr) {
        return make_error(ErrorKind::kUnsupported, "learn",
                          model.path().string() + ": found no tensor " + matrix.tensor_name() +
                              ", which LoRA would update",
                          "the model may have fused it with others; leave it out of the targets");
      }
      matrix.outputs = static_cast<std::int64_t>(tensor->rows());
      matrix.inputs = static_cast<std::int64_t>(tensor->columns());
      if (rank > std::min(matrix.outputs, matrix.inputs)) {
        return invalid("LoRA rank: found " + std::to_string(rank) + ", expected at most " +
                       std::to_string(std::min(matrix.outputs, matrix.inputs)) + " for " +
                       matrix.tensor_name() + " (" + std::to_string(matrix.outputs) + " x " +
                       std::to_string(matrix.inputs) + ")");
      }
      matrices.push_back(matrix);
    }
  }
  return matrices;
}

}  // namespace llmpatch
