// The twin of learn.cc and learn_support.cc in a program built without learning.
#include "command.h"
#include "learn_support.h"

namespace llmpatch {

std::optional<std::string> torch_version() { return std::nullopt; }

std::optional<double> measure_matrix_product() { return std::nullopt; }

RunFn declare_learn(CLI::App& app) {
  app.allow_extras();  // its options are known where it is built in
  return [](const CancelFlag&) -> Status {
    return make_error(ErrorKind::kUnsupported, "learn", "this program was built without learning",
                      "build it with -DLLMPATCH_LEARN=ON and LibTorch");
  };
}

}  // namespace llmpatch
