#include "companion_options.h"

#include <memory>
#include <utility>

#include "patch_options.h"

namespace llmpatch {
namespace {

constexpr const char* kRandom = "random";

Result<CompanionPatches> load_companions(const PatchOptions& options,
                                         const std::filesystem::path& model, bool force) {
  CompanionPatches companions;
  for (const std::string& name : options.patches) {
    if (name == kRandom) {
      companions.random = true;
      continue;
    }
    PatchOptions one = options;
    one.patches = {name};
    LLMPATCH_ASSIGN(AdmittedStack admitted, one.admit(model, force));
    if (!admitted.without.empty()) {
      return make_error(ErrorKind::kDenied, "learn",
                        admitted.without.front() + ", and is no companion to learn beside");
    }
    Patch& patch = admitted.patches.front().patch;
    companions.patches.push_back({patch.manifest.name + "@" + patch.manifest.version,
                                  patch.manifest.files[kRowsFile], std::move(patch.rows)});
  }
  return companions;
}

}  // namespace

LoadCompanions declare_companions(CLI::App& app, const char* group) {
  auto options = std::make_shared<PatchOptions>();
  app.add_option(
         "--companions", options->patches,
         "Learn to work beside others: at some steps one of these patches stands beside the "
         "learned one, in parallel; `random` for rows of tokens drawn anew each time")
      ->group(group);
  options->declare_checks(app);
  return [options](const std::filesystem::path& model, bool force) {
    return load_companions(*options, model, force);
  };
}

}  // namespace llmpatch
