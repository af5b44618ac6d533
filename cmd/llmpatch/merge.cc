// llmpatch merge: a model file with a LoRA adapter merged into its weights.
#include "gguf/merge.h"

#include <memory>

#include "base/sha256.h"
#include "command.h"
#include "output_file.h"
#include "progress_bar.h"
#include "terminal.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

struct Options {
  fs::path model, lora, output;
  std::string type = "f16";
  bool force = false;
};

// `lora` names an adapter file, or the directory that `learn --method lora` wrote.
fs::path adapter_file(const fs::path& lora) {
  std::error_code code;
  return fs::is_directory(lora, code) ? lora / kLoraFile : lora;
}

Status run(const Options& options, const CancelFlag& cancel) {
  if (options.type != "f16" && options.type != "f32") {
    return make_error(ErrorKind::kInvalidArgument, "merge",
                      "--type: found " + options.type + ", expected f16 or f32");
  }
  const MergedType type = options.type == "f16" ? MergedType::kF16 : MergedType::kF32;
  const Overwrite overwrite = overwrite_if(options.force);
  const fs::path lora_path = adapter_file(options.lora);
  LLMPATCH_TRY(check_output_file(options.output, overwrite, {options.model, lora_path}));
  LLMPATCH_ASSIGN(const GgufFile model, GgufFile::open(options.model));
  LLMPATCH_ASSIGN(const GgufFile file, GgufFile::open(lora_path, "LoRA adapter"));
  LLMPATCH_ASSIGN(const Lora lora, lora_from_gguf(file));
  {
    ProgressBar bar("merge", "tensors");
    LLMPATCH_TRY(merge_lora(model, lora, sha256_hex(file.bytes()), type, options.output, overwrite,
                            &cancel, bar.callback()));
  }
  say("wrote " + options.output.string() + ": " + std::to_string(lora.matrices.size()) +
      " matrices changed and written as " + options.type + ", the rest as it was");
  return {};
}

}  // namespace

RunFn declare_merge(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("--model", options->model, "The model (GGUF) that the adapter was learned on")
      ->required();
  app.add_option("--lora", options->lora,
                 "LoRA adapter: a GGUF file, or the directory that learn --method lora wrote")
      ->required();
  app.add_option("--type", options->type, "Type of the changed matrices: f16 or f32")
      ->capture_default_str();
  app.add_option("-o,--output", options->output, "Model file to write")->required();
  app.add_flag("--force", options->force, "Replace an existing file");
  return [options](const CancelFlag& cancel) { return run(*options, cancel); };
}

}  // namespace llmpatch
