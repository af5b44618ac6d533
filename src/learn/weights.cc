#include "learn/weights.h"

#include "gguf/dequantize.h"
#include "learn/dtype.h"

namespace llmpatch {

Result<torch::Tensor> WeightReader::read(const std::string& name, std::int64_t rows,
                                         std::int64_t columns) const {
  const GgufTensor* tensor = file_.find(name);
  const std::string where = file_.path().string();
  if (tensor == nullptr) {
    return make_error(ErrorKind::kCorrupt, "learn", where + ": found no tensor " + name);
  }
  if (tensor->columns() != static_cast<std::uint64_t>(columns) ||
      tensor->rows() != static_cast<std::uint64_t>(rows)) {
    return make_error(ErrorKind::kCorrupt, "learn",
                      where + " tensor " + name + ": found " + std::to_string(tensor->rows()) +
                          " x " + std::to_string(tensor->columns()) + ", expected " +
                          std::to_string(rows) + " x " + std::to_string(columns));
  }
  torch::Tensor values = torch::empty({rows, columns}, torch::kFloat32);
  LLMPATCH_TRY(
      dequantize_rows(*tensor, 0, tensor->rows(),
                      {values.data_ptr<float>(), static_cast<std::size_t>(rows * columns)}));
  return values;
}

Result<torch::Tensor> WeightReader::matrix(const std::string& name, std::int64_t outputs,
                                           std::int64_t inputs) const {
  LLMPATCH_ASSIGN(torch::Tensor values, read(name, outputs, inputs));
  return values.to(dtype_);
}

Result<torch::Tensor> WeightReader::stacked(const std::vector<Part>& parts,
                                            std::int64_t inputs) const {
  std::vector<torch::Tensor> matrices;
  for (const Part& part : parts) {
    LLMPATCH_ASSIGN(torch::Tensor values, matrix(part.name, part.outputs, inputs));
    matrices.push_back(std::move(values));
  }
  return torch::cat(matrices);
}

Result<torch::Tensor> WeightReader::vector(const std::string& name, std::int64_t size) const {
  LLMPATCH_ASSIGN(torch::Tensor values, read(name, 1, size));
  return values.squeeze(0).to(work_dtype(dtype_));
}

Result<torch::Tensor> WeightReader::optional_vector(const std::string& name,
                                                    std::int64_t size) const {
  if (!has(name)) return torch::Tensor();
  return vector(name, size);
}

}  // namespace llmpatch
