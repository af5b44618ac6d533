#include "learn/lora.h"

#include <cmath>
#include <random>
#include <utility>

namespace llmpatch {
namespace {

std::vector<float> as_floats(const torch::Tensor& tensor) {
  const torch::Tensor dense = tensor.detach().to(torch::kFloat32).contiguous();
  return {dense.data_ptr<float>(), dense.data_ptr<float>() + dense.numel()};
}

}  // namespace

LoraLayout::LoraLayout(std::vector<TargetMatrix> matrices, std::int64_t rank, double alpha)
    : matrices_(std::move(matrices)), rank_(rank), alpha_(alpha) {
  for (const TargetMatrix& matrix : matrices_) {
    sizes_.push_back(rank_ * matrix.inputs);
    sizes_.push_back(matrix.outputs * rank_);
    size_ += rank_ * (matrix.inputs + matrix.outputs);
  }
}

torch::Tensor LoraLayout::initial(std::uint64_t seed) const {
  torch::Tensor learned = torch::zeros({1, size_});
  float* next = learned.data_ptr<float>();
  std::mt19937_64 random(seed ^ 0x5851f42d4c957f2dU);
  for (const TargetMatrix& matrix : matrices_) {
    const double bound = 1 / std::sqrt(static_cast<double>(matrix.inputs));
    for (std::int64_t i = 0; i < rank_ * matrix.inputs; ++i) {
      // By hand: std::uniform_real_distribution may differ between standard libraries.
      const double uniform = (static_cast<double>(random() >> 11) + 0.5) * 0x1.0p-53;
      *next++ = static_cast<float>(bound * (2 * uniform - 1));
    }
    next += matrix.outputs * rank_;
  }
  return learned;
}

Adaptation LoraLayout::adapt(const torch::Tensor& learned) const {
  const std::vector<torch::Tensor> factors = learned.view({-1}).split_with_sizes(sizes_);
  Adaptation adaptation;
  adaptation.updates.scale = alpha_ / static_cast<double>(rank_);
  for (std::size_t i = 0; i < matrices_.size(); ++i) {
    const TargetMatrix& matrix = matrices_[i];
    adaptation.updates.of.emplace(matrix.tensor_name(),
                                  LowRankUpdate{factors[2 * i].view({rank_, matrix.inputs}),
                                                factors[2 * i + 1].view({matrix.outputs, rank_})});
  }
  return adaptation;
}

Lora LoraLayout::to_lora(const torch::Tensor& learned, const std::string& architecture) const {
  const Adaptation adaptation = adapt(learned.detach());
  Lora lora;
  lora.architecture = architecture;
  lora.alpha = static_cast<float>(alpha_);
  for (const TargetMatrix& matrix : matrices_) {
    const LowRankUpdate& update = *adaptation.updates.find(matrix.tensor_name());
    lora.matrices.push_back({matrix.tensor_name(), static_cast<std::uint64_t>(matrix.inputs),
                             static_cast<std::uint64_t>(matrix.outputs),
                             static_cast<std::uint64_t>(rank_), as_floats(update.down),
                             as_floats(update.up)});
  }
  return lora;
}

}  // namespace llmpatch
