// What is learned: the rows of a prefix, or low-rank updates of the model's matrices. Everything
// else of learning (data, losses, optimiser, checkpoints) knows one f32 tensor; what that tensor is
// to the model, to an engine and on disk is here. A method is one file that makes one of these, and
// one line in the table of method.cc.
#pragma once

#include <torch/types.h>

#include <filesystem>
#include <functional>
#include <memory>

#include "base/file.h"
#include "base/json.h"
#include "base/result.h"
#include "gguf/gguf_file.h"
#include "learn/adaptation.h"
#include "learn/learn.h"
#include "learn/transformer.h"
#include "patch/manifest.h"
#include "runtime/engine.h"

namespace llmpatch {

// What a method is made with; all of it borrowed.
struct MethodSources {
  const LearnOptions& options;
  const GgufFile& file;           // the base model's
  const Model& model;             // likewise
  std::filesystem::path scratch;  // a file it may write and remove while it serves
};

// Not thread-safe.
class LearnMethod {
 public:
  virtual ~LearnMethod() = default;

  // What learning begins with: [n, m] f32.
  virtual Result<torch::Tensor> initial(const Transformer& transformer) const = 0;

  // What `learned` does to the base model; gradients flow to it.
  virtual Adaptation adapt(const torch::Tensor& learned) const = 0;

  // Calls `work` with an engine that answers as `learned` has it behind the stack it is given: with
  // `base`, an engine of the base model, or another one. Fails as `work` does, or as the engine.
  using Work = std::function<Status(Engine& engine, const Stack& stack)>;
  virtual Status serve(Engine& base, const torch::Tensor& learned, const Work& work) const = 0;

  // Writes the artifact. `manifest` lacks only the files. Errors of check_output(); kIo.
  virtual Status write(const torch::Tensor& learned, const Manifest& manifest,
                       const Transformer& transformer, const std::filesystem::path& output,
                       Overwrite overwrite) const = 0;
};

// kInvalidArgument and kUnsupported when the options do not suit the model.
Result<std::unique_ptr<LearnMethod>> make_method(const MethodSources& sources, Method method);

// Of what a method writes, before there is a model. Whether it may be written at `output`: kExists,
// kDenied (something else is there).
Status check_output(Method method, const std::filesystem::path& output, Overwrite overwrite);
// The manifest of what is at `output`, checked against its files. kNotFound; kCorrupt when it is
// not what the method writes.
Result<Manifest> read_output(Method method, const std::filesystem::path& output);

const char* name_of(Method method);  // "prefix", "lora"

// The methods, each in a file of its own.
Result<std::unique_ptr<LearnMethod>> make_prefix_method(const MethodSources& sources);
Result<std::unique_ptr<LearnMethod>> make_lora_method(const MethodSources& sources);

}  // namespace llmpatch
