#include "learn_support.h"

#include "learn/torch_info.h"

namespace llmpatch {

std::optional<std::string> torch_version() { return torch_library_version(); }

std::optional<double> measure_matrix_product() { return torch_sgemm_gflops(); }

}  // namespace llmpatch
