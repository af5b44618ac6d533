// The twin of ablate.cc, attack.cc, learn.cc and learn_support.cc in a program built without learning.
#include "command.h"
#include "learn_support.h"

namespace llmpatch {

std::optional<std::string> torch_version() { return std::nullopt; }

std::optional<double> measure_matrix_product() { return std::nullopt; }

namespace {

// A subcommand that only says what is missing.
RunFn declare_missing(CLI::App& app, const char* name) {
  app.allow_extras();  // its options are known where it is built in
  return [name](const CancelFlag&) -> Status {
    return make_error(ErrorKind::kUnsupported, name, "this program was built without learning",
                      "build it with -DLLMPATCH_LEARN=ON and LibTorch");
  };
}

}  // namespace

RunFn declare_ablate(CLI::App& app) { return declare_missing(app, "ablate"); }

RunFn declare_attack(CLI::App& app) { return declare_missing(app, "attack"); }

RunFn declare_learn(CLI::App& app) { return declare_missing(app, "learn"); }

}  // namespace llmpatch
