// The rows of a prefix: what a patch is.
#include <cmath>
#include <random>

#include "learn/method.h"
#include "learn/validator.h"
#include "patch/patch.h"

namespace llmpatch {
namespace {

class PrefixMethod : public LearnMethod {
 public:
  explicit PrefixMethod(const MethodSources& sources) : sources_(sources) {}

  // The tokens of --init-text repeated to the length, or random rows with the table's spread.
  Result<torch::Tensor> initial(const Transformer& transformer) const override {
    const LearnOptions& options = sources_.options;
    if (!options.init_text.empty()) {
      LLMPATCH_ASSIGN(Tokens tokens,
                      sources_.model.tokenize(options.init_text, /*parse_special=*/true));
      if (tokens.empty()) {
        return make_error(ErrorKind::kInvalidArgument, "learn", "init text: found no tokens in it");
      }
      Tokens repeated;
      for (std::int64_t i = 0; i < options.length; ++i) {
        repeated.push_back(tokens[static_cast<std::size_t>(i) % tokens.size()]);
      }
      LLMPATCH_ASSIGN(const Rows rows, sources_.model.embed(repeated));
      return to_tensor(rows);
    }
    const torch::Tensor ids = torch::arange(transformer.shape().vocabulary, torch::kLong);
    const double spread = transformer.embed(ids).to(torch::kFloat32).std().item<double>();
    torch::Tensor rows = torch::empty({options.length, transformer.shape().width});
    std::mt19937_64 random(options.seed ^ 0x9e3779b97f4a7c15U);
    const auto uniform = [&] { return (static_cast<double>(random() >> 11) + 0.5) * 0x1.0p-53; };
    for (std::int64_t i = 0; i < rows.numel(); ++i) {
      // Box-Muller by hand: std::normal_distribution may differ between standard libraries.
      const double radius = std::sqrt(-2 * std::log(uniform()));
      rows.data_ptr<float>()[i] =
          static_cast<float>(spread * radius * std::cos(2 * M_PI * uniform()));
    }
    return rows;
  }

  Adaptation adapt(const torch::Tensor& rows) const override { return Adaptation(rows); }

  Status serve(Engine& base, const torch::Tensor& rows, const Work& work) const override {
    LLMPATCH_ASSIGN(const PrefixId prefix, base.add_prefix(to_rows(rows)));
    const Status worked = work(base, Stack{{prefix}, Compose::kSequential});
    LLMPATCH_TRY(base.remove_prefix(prefix));
    return worked;
  }

  Status write(const torch::Tensor& rows, const Manifest& manifest, const Transformer& transformer,
               const std::filesystem::path& output, Overwrite overwrite) const override {
    Patch patch;
    patch.rows = to_rows(rows);
    patch.manifest = manifest;
    patch.adapter.base_model = manifest.base.name;
    patch.adapter.attention_heads = transformer.shape().heads;
    patch.adapter.layers = transformer.shape().layers;
    patch.adapter.init_text = sources_.options.init_text;
    return write_patch(patch, output, overwrite);
  }

 private:
  MethodSources sources_;
};

}  // namespace

Result<std::unique_ptr<LearnMethod>> make_prefix_method(const MethodSources& sources) {
  return std::unique_ptr<LearnMethod>(new PrefixMethod(sources));
}

}  // namespace llmpatch
