// make_patch MODEL.gguf NAME TEXT OUT: a patch whose rows are the embeddings of TEXT, for tests
// that need a real patch and no learning.
#include <cstdio>
#include <filesystem>
#include <string>

#include "gguf/identity.h"
#include "patch/patch.h"
#include "runtime/model.h"

namespace llmpatch {
namespace {

Status make_patch(const std::filesystem::path& model_path, const std::string& name,
                  const std::string& text, const std::filesystem::path& out) {
  LLMPATCH_ASSIGN(const auto model, Model::load(model_path));
  LLMPATCH_ASSIGN(const Tokens tokens, model->tokenize(text, true));
  LLMPATCH_ASSIGN(const GgufFile file, GgufFile::open(model_path));
  Patch patch;
  LLMPATCH_ASSIGN(patch.rows, model->embed(tokens));
  patch.manifest.name = name;
  patch.manifest.version = "1.0.0";
  patch.manifest.risk = "test";
  patch.manifest.summary = "The embeddings of a text, not learned";
  patch.manifest.license = "Apache-2.0";
  LLMPATCH_ASSIGN(patch.manifest.base, compute_identity(file));
  return write_patch(patch, out, Overwrite::kNo);
}

}  // namespace
}  // namespace llmpatch

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: make_patch MODEL.gguf NAME TEXT OUT\n");
    return 2;
  }
  const auto status = llmpatch::make_patch(argv[1], argv[2], argv[3], argv[4]);
  if (status.ok()) return 0;
  std::fprintf(stderr, "make_patch: %s\n", status.error().to_string().c_str());
  return 1;
}
