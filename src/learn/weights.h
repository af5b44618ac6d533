// Tensors of a GGUF file as LibTorch tensors.
#pragma once

#include <torch/types.h>

#include <initializer_list>
#include <string>
#include <vector>

#include "base/result.h"
#include "gguf/gguf_file.h"

namespace llmpatch {

// Reads named tensors, dequantised, converted to one type. Borrows the file.
class WeightReader {
 public:
  WeightReader(const GgufFile& file, torch::Dtype dtype) : file_(file), dtype_(dtype) {}

  // A matrix [outputs, inputs] in the reader's type. kCorrupt when missing or of another shape.
  Result<torch::Tensor> matrix(const std::string& name, std::int64_t outputs,
                               std::int64_t inputs) const;
  // Several matrices with the same inputs, stacked by rows: one product instead of several.
  struct Part {
    std::string name;
    std::int64_t outputs;
  };
  Result<torch::Tensor> stacked(const std::vector<Part>& parts, std::int64_t inputs) const;
  // A vector [size] in f32 (f64 in an f64 model): norms, biases, factors.
  Result<torch::Tensor> vector(const std::string& name, std::int64_t size) const;
  // Undefined when the file has no such tensor.
  Result<torch::Tensor> optional_vector(const std::string& name, std::int64_t size) const;
  bool has(const std::string& name) const { return file_.find(name) != nullptr; }

 private:
  Result<torch::Tensor> read(const std::string& name, std::int64_t rows,
                             std::int64_t columns) const;
  const GgufFile& file_;
  torch::Dtype dtype_;
};

}  // namespace llmpatch
