// Low-rank updates of the model's matrices.
#include <utility>

#include "learn/lora.h"
#include "learn/lora_directory.h"
#include "learn/method.h"
#include "learn/settings.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

// A file that is gone when it goes.
class ScratchFile {
 public:
  explicit ScratchFile(fs::path path) : path_(std::move(path)) {}
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;
  ~ScratchFile() {
    std::error_code ignored;
    fs::remove(path_, ignored);
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

class LoraMethod : public LearnMethod {
 public:
  LoraMethod(const MethodSources& sources, LoraLayout layout)
      : sources_(sources), layout_(std::move(layout)) {}

  Result<torch::Tensor> initial(const Transformer&) const override {
    return layout_.initial(sources_.options.seed);
  }

  Adaptation adapt(const torch::Tensor& learned) const override { return layout_.adapt(learned); }

  // With an engine of its own: the adapters of an engine stay as they are.
  Status serve(Engine&, const torch::Tensor& learned, const Work& work) const override {
    const ScratchFile file(sources_.scratch);
    LLMPATCH_TRY(write_file_atomic(file.path(), lora_to_gguf(lora_of(learned))));
    EngineOptions options = engine_options(sources_.options);
    options.adapters.lora = {{file.path(), 1}};
    LLMPATCH_ASSIGN(const auto engine, Engine::create(sources_.model, options));
    return work(*engine, {});
  }

  Status write(const torch::Tensor& learned, const Manifest& manifest, const Transformer&,
               const fs::path& output, Overwrite overwrite) const override {
    LLMPATCH_ASSIGN(const PeftModel model, peft_model(sources_.file, manifest.base.name));
    return write_lora_directory(lora_of(learned), layout_.matrices(), model, manifest, output,
                                overwrite);
  }

 private:
  Lora lora_of(const torch::Tensor& learned) const {
    return layout_.to_lora(learned, sources_.model.architecture());
  }

  MethodSources sources_;
  LoraLayout layout_;
};

}  // namespace

Result<std::unique_ptr<LearnMethod>> make_lora_method(const MethodSources& sources) {
  const LoraOptions& options = sources.options.lora;
  LLMPATCH_ASSIGN(auto matrices, find_target_matrices(sources.file, options.targets, options.rank));
  return std::unique_ptr<LearnMethod>(
      new LoraMethod(sources, LoraLayout(std::move(matrices), options.rank, options.alpha)));
}

}  // namespace llmpatch
