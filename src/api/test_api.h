// What the tests of this room share: a tiny model as a file, and signed patches for it.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "gguf/identity.h"
#include "llmpatch/llmpatch.h"
#include "patch/test_patch.h"
#include "runtime/test_models.h"
#include "trust/sign.h"

namespace llmpatch {

// The model of tiny_model() in a file of its own.
inline const std::filesystem::path& tiny_model_path() {
  static const TestDirectory directory;
  static const std::filesystem::path path = [] {
    const std::filesystem::path made = directory / "tiny.gguf";
    write_raw(made, tiny_model_file().bytes());
    return made;
  }();
  return path;
}

inline const BaseModel& tiny_base() {
  static const BaseModel base = BaseModel::open(tiny_model_path()).value();
  return base;
}

// Makes patches for the tiny model and signs them with a key of its own.
class Vendor {
 public:
  const PublicKey& key() const { return key_.key.public_key(); }
  // Options that believe this vendor.
  LoadOptions trusted() const {
    LoadOptions options;
    options.key_texts = {key().pem()};
    return options;
  }

  // The directory of a new patch; `change` is made before it is signed.
  std::filesystem::path write(const std::string& name, const Rows& rows,
                              const std::function<void(Patch&)>& change = {}) {
    static const BaseIdentity identity =
        compute_identity(GgufFile::open(tiny_model_path()).value()).value();
    Patch patch = small_patch();
    patch.rows = rows;
    patch.manifest.name = name;
    patch.manifest.compose = {};
    patch.manifest.base = identity;
    if (change) change(patch);
    const std::filesystem::path path = directory_ / (name + std::to_string(directory_.entries()));
    EXPECT_TRUE(write_patch(patch, path, Overwrite::kNo).ok());
    EXPECT_TRUE(sign_patch(path, key_, Overwrite::kNo).ok());
    return path;
  }

  // The same, loaded.
  SafetyPatch make(const std::string& name, const Rows& rows,
                   const std::function<void(Patch&)>& change = {}) {
    return SafetyPatch::load(write(name, rows, change), trusted()).value();
  }

 private:
  TestDirectory directory_;
  SigningKey key_{PrivateKey::generate().value(), {}};
};

// Rows that act as `tokens` do.
inline Rows rows_of(const Tokens& tokens) { return tiny_model().embed(tokens).value(); }

}  // namespace llmpatch
