#include "learn/method.h"

#include "learn/lora_directory.h"
#include "patch/files.h"
#include "patch/patch.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

Result<Manifest> read_patch_manifest(const fs::path& directory) {
  LLMPATCH_ASSIGN(Patch patch, load_patch(directory));
  return std::move(patch.manifest);
}

struct Entry {
  const char* name;
  LearningRates rates;
  Result<std::unique_ptr<LearnMethod>> (*make)(const MethodSources&);
  Status (*check)(const fs::path&, Overwrite);
  Result<Manifest> (*read)(const fs::path&);
};

// The methods that learn a tensor, in the order of the enum; kSteering learns none.
constexpr Entry kMethods[] = {
    {"prefix", {2e-2, 5e-3}, make_prefix_method, check_patch_output, read_patch_manifest},
    {"lora", {1e-3, 2e-4}, make_lora_method, check_lora_output, read_lora_manifest},
};

const Entry& entry_of(Method method) { return kMethods[static_cast<std::size_t>(method)]; }

}  // namespace

const char* name_of(Method method) { return entry_of(method).name; }

LearningRates default_rates(Method method) { return entry_of(method).rates; }

Result<std::unique_ptr<LearnMethod>> make_method(const MethodSources& sources, Method method) {
  return entry_of(method).make(sources);
}

Status check_output(Method method, const fs::path& output, Overwrite overwrite) {
  return entry_of(method).check(output, overwrite);
}

Result<Manifest> read_output(Method method, const fs::path& output) {
  return entry_of(method).read(output);
}

}  // namespace llmpatch
