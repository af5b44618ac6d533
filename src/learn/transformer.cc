#include "learn/transformer.h"

#include "learn/llama.h"

namespace llmpatch {
namespace {

struct Architecture {
  const char* name;  // general.architecture
  Result<std::unique_ptr<Transformer>> (*load)(const GgufFile&, Arithmetic);
};

constexpr Architecture kArchitectures[] = {
    {"llama", load_llama},
};

}  // namespace

std::vector<std::string> transformer_architectures() {
  std::vector<std::string> names;
  for (const auto& entry : kArchitectures) names.emplace_back(entry.name);
  return names;
}

Result<std::unique_ptr<Transformer>> load_transformer(const GgufFile& file, Arithmetic arithmetic) {
  LLMPATCH_ASSIGN(const std::string name, file.architecture());
  for (const auto& entry : kArchitectures) {
    if (name != entry.name) continue;
    try {
      torch::NoGradGuard frozen;
      return entry.load(file, arithmetic);
    } catch (const std::exception& error) {
      return make_error(ErrorKind::kInternal, "learn",
                        file.path().string() + ": LibTorch: " + error.what());
    }
  }
  std::string known;
  for (const auto& entry : kArchitectures)
    known += std::string(known.empty() ? "" : ", ") + entry.name;
  return make_error(ErrorKind::kUnsupported, "learn",
                    file.path().string() + " architecture: found " + name +
                        ", expected one that can be learned on (" + known + ")");
}

torch::Tensor run_batch(const Transformer& model, const Adaptation& adaptation,
                        const Layout& layout) {
  torch::Tensor embeddings = model.embed(layout.token_ids);
  const auto put_before = [&](const torch::Tensor& rows) {
    embeddings = torch::cat({rows.to(embeddings.scalar_type()), embeddings});
  };
  if (layout.companion.defined()) put_before(layout.companion.detach());
  if (layout.prefix_rows > 0) put_before(adaptation.prefix);
  return model.forward(embeddings, layout, adaptation.updates);
}

}  // namespace llmpatch
