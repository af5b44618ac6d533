#include "runtime/loaded_adapters.h"

#include <cmath>
#include <cstdio>
#include <exception>

#include "runtime/llama_backend.h"
#include "runtime/lora_file.h"

namespace llmpatch {
namespace {

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

Result<llama_adapter_lora*> load_lora(const Model& model, const LoraAdapter& wanted) {
  const auto failed = [&](ErrorKind kind, const std::string& message) {
    return make_error(kind, "runtime", "LoRA adapter " + wanted.path.string() + ": " + message);
  };
  if (!std::isfinite(wanted.scale)) {
    return failed(ErrorKind::kInvalidArgument,
                  "scale: found " + std::to_string(wanted.scale) + ", expected a finite number");
  }
  LLMPATCH_ASSIGN(std::string image, read_lora(wanted.path, model.file()));
  // libllama reads from memory: what was checked, not what the file may hold by now.
  const std::unique_ptr<std::FILE, CloseFile> file(::fmemopen(image.data(), image.size(), "rb"));
  if (file == nullptr) return failed(ErrorKind::kLimit, "memory: found too little");
  take_llama_errors("");
  llama_adapter_lora* adapter = nullptr;
  try {
    adapter = llama_adapter_lora_init_from_file_ptr(model.handle(), file.get());
  } catch (const std::exception& error) {
    return failed(ErrorKind::kInternal, error.what());
  }
  if (adapter == nullptr) {
    return failed(ErrorKind::kUnsupported,
                  "libllama cannot load it: " + take_llama_errors("no reason given"));
  }
  return adapter;
}

}  // namespace

Result<LoadedAdapters> LoadedAdapters::load(const Model& model, const Adapters& adapters) {
  LoadedAdapters loaded;
  for (const LoraAdapter& wanted : adapters.lora) {
    LLMPATCH_ASSIGN(llama_adapter_lora * adapter, load_lora(model, wanted));
    loaded.lora_.emplace_back(adapter);
    loaded.scales_.push_back(wanted.scale);
  }
  if (adapters.control_vector) {
    SteeredModel steered;
    steered.architecture = model.architecture();
    steered.layers = static_cast<std::size_t>(llama_model_n_layer(model.handle()));
    loaded.width_ = llama_model_n_embd(model.handle());
    steered.width = static_cast<std::size_t>(loaded.width_);
    LLMPATCH_ASSIGN(loaded.directions_, read_control_vector(*adapters.control_vector, steered));
    if (adapters.control_vector->scale == 0) loaded.directions_.values.clear();
  }
  return loaded;
}

Status LoadedAdapters::apply(llama_context* context) const {
  std::vector<llama_adapter_lora*> handles;
  for (const auto& adapter : lora_) handles.push_back(adapter.get());
  std::vector<float> scales = scales_;
  if (!handles.empty() &&
      llama_set_adapters_lora(context, handles.data(), handles.size(), scales.data()) != 0) {
    return make_error(ErrorKind::kInternal, "runtime",
                      "LoRA adapters: " + take_llama_errors("libllama refused them"));
  }
  if (!directions_.values.empty() &&
      llama_set_adapter_cvec(context, directions_.values.data(), directions_.values.size(), width_,
                             directions_.first_layer, directions_.last_layer) != 0) {
    return make_error(ErrorKind::kInternal, "runtime",
                      "control vector: " + take_llama_errors("libllama refused it"));
  }
  return {};
}

}  // namespace llmpatch
