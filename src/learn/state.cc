// Saving and loading the state of a learning stage.
#include <torch/serialize.h>

#include <sstream>

#include "base/file.h"
#include "learn/trainer.h"

namespace llmpatch {
namespace {

// Five tensors of what is learned; LoRA of rank 64 on all matrices of a 7B model has 160 M numbers.
constexpr std::uint64_t kMaxStateBytes = std::uint64_t{1} << 32;

}  // namespace

Status save_state(const StageState& state, const std::filesystem::path& path) {
  std::ostringstream bytes;
  try {
    const auto moment = [&](const torch::Tensor& tensor) {
      return tensor.defined() ? tensor : torch::zeros_like(state.rows);
    };
    const auto best = state.best_step >= 0 ? state.best_rows : state.rows;
    const torch::Tensor counts =
        torch::tensor({state.step, state.adam.steps, state.best_step, state.validations_since_best},
                      torch::kLong);
    std::vector<double> best_numbers{state.best.refused, state.best.over_refused,
                                     state.best.divergence, state.best.score};
    best_numbers.insert(best_numbers.end(), state.best.risks.begin(), state.best.risks.end());
    const torch::Tensor numbers = torch::tensor(best_numbers, torch::kDouble);
    const auto average = state.average.defined() ? state.average : state.rows;
    const auto sampling = [](const torch::Tensor& known) {
      return known.defined() ? known : torch::empty({0}, torch::kDouble);
    };
    torch::save(
        std::vector<torch::Tensor>{state.rows, moment(state.adam.first), moment(state.adam.second),
                                   best, average, counts, numbers, sampling(state.sampling.pairs),
                                   sampling(state.sampling.corrections),
                                   sampling(state.sampling.retained)},
        bytes);
  } catch (const std::exception& error) {
    return make_error(ErrorKind::kInternal, "learn",
                      std::string("saving a checkpoint: ") + error.what());
  }
  return write_file_atomic(path, bytes.str());
}

Result<StageState> load_state(const std::filesystem::path& path) {
  LLMPATCH_ASSIGN(const std::string bytes, read_file(path, kMaxStateBytes, "checkpoint"));
  const auto corrupt = [&](const std::string& message) {
    return make_error(ErrorKind::kCorrupt, "learn", "checkpoint " + path.string() + ": " + message,
                      "remove it to learn this stage again from its beginning");
  };
  std::vector<torch::Tensor> tensors;
  try {
    std::istringstream stream(bytes);
    torch::load(tensors, stream);
  } catch (const std::exception&) {
    return corrupt("found a file LibTorch cannot read");
  }
  const auto is = [](const torch::Tensor& tensor, torch::Dtype dtype, std::int64_t dimensions) {
    return tensor.scalar_type() == dtype && tensor.dim() == dimensions;
  };
  if (tensors.size() != 10 || !is(tensors[0], torch::kFloat32, 2) ||
      !is(tensors[5], torch::kLong, 1) || tensors[5].size(0) != 4 ||
      !is(tensors[6], torch::kDouble, 1) || tensors[6].size(0) < 4) {
    return corrupt("found other tensors than a checkpoint has");
  }
  for (int i = 1; i < 5; ++i) {
    if (!is(tensors[static_cast<std::size_t>(i)], torch::kFloat32, 2) ||
        tensors[static_cast<std::size_t>(i)].sizes() != tensors[0].sizes()) {
      return corrupt("its tensors differ in shape");
    }
  }
  const auto sampling = [&](std::size_t place) {
    return tensors[place].numel() > 0 ? tensors[place] : torch::Tensor();
  };
  StageState state;
  state.sampling = {sampling(7), sampling(8), sampling(9)};
  state.rows = tensors[0];
  state.adam.first = tensors[1];
  state.adam.second = tensors[2];
  state.best_rows = tensors[3];
  state.average = tensors[4];
  const auto counts = tensors[5].accessor<std::int64_t, 1>();
  state.step = counts[0];
  state.adam.steps = counts[1];
  state.best_step = counts[2];
  state.validations_since_best = counts[3];
  const auto numbers = tensors[6].accessor<double, 1>();
  state.best = {numbers[0], numbers[1], numbers[2], numbers[3]};
  for (std::int64_t i = 4; i < numbers.size(0); ++i) state.best.risks.push_back(numbers[i]);
  return state;
}

}  // namespace llmpatch
