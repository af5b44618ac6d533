#include "gguf_writer.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace llmpatch {
namespace {

struct FileCloser {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, FileCloser>;

Error write_error(const std::filesystem::path& path) {
  return make_error(ErrorKind::kIo, "make_model",
                    "write " + path.string() + ": " + std::strerror(errno));
}

std::vector<char> encode(ggml_type type, const std::vector<float>& values, std::uint64_t columns) {
  const auto width = static_cast<std::int64_t>(columns);
  const auto rows = static_cast<std::int64_t>(values.size() / columns);
  std::vector<char> bytes(ggml_row_size(type, width) * static_cast<std::size_t>(rows));
  ggml_quantize_chunk(type, values.data(), bytes.data(), 0, rows, width, nullptr);
  return bytes;
}

}  // namespace

Status write_gguf(const std::filesystem::path& out, const gguf_context* metadata,
                  const std::vector<TensorPlan>& tensors) {
  const GgufContext file(gguf_init_empty());
  gguf_set_kv(file.get(), metadata);
  const ggml_init_params room{(tensors.size() + 1) * ggml_tensor_overhead(), nullptr, true};
  const ggml_context_ptr shapes(ggml_init(room));
  for (const TensorPlan& plan : tensors) {
    if (plan.ne[0] % static_cast<std::uint64_t>(ggml_blck_size(plan.type)) != 0) {
      return make_error(ErrorKind::kInvalidArgument, "make_model",
                        "tensor " + plan.name + ": found " + std::to_string(plan.ne[0]) +
                            " columns, expected a multiple of " +
                            std::to_string(ggml_blck_size(plan.type)));
    }
    std::array<std::int64_t, 4> ne;
    int dimensions = 1;
    for (int i = 0; i < 4; ++i) {
      ne[i] = static_cast<std::int64_t>(plan.ne[i]);
      if (ne[i] > 1) dimensions = i + 1;
    }
    ggml_tensor* tensor = ggml_new_tensor(shapes.get(), plan.type, dimensions, ne.data());
    ggml_set_name(tensor, plan.name.c_str());
    gguf_add_tensor(file.get(), tensor);
  }

  const File stream(std::fopen(out.c_str(), "wb"));
  if (stream == nullptr) return write_error(out);
  std::vector<char> meta(gguf_get_meta_size(file.get()));
  gguf_get_meta_data(file.get(), meta.data());
  if (std::fwrite(meta.data(), 1, meta.size(), stream.get()) != meta.size()) {
    return write_error(out);
  }
  for (const TensorPlan& plan : tensors) {
    LLMPATCH_ASSIGN(const std::vector<float> values, plan.values());
    std::vector<char> bytes = encode(plan.type, values, plan.ne[0]);
    bytes.resize(GGML_PAD(bytes.size(), gguf_get_alignment(file.get())));
    if (std::fwrite(bytes.data(), 1, bytes.size(), stream.get()) != bytes.size()) {
      return write_error(out);
    }
  }
  if (std::fflush(stream.get()) != 0) return write_error(out);
  return {};
}

}  // namespace llmpatch
