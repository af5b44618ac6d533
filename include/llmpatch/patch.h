// A patch: rows to put before a prompt, and what is known about them. One is loaded only when its
// signature holds, from the very bytes that were verified.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "llmpatch/export.h"
#include "llmpatch/result.h"

namespace llmpatch {

// Whom to believe (docs/trust.md). Files are PEM, but for the policy.
struct LoadOptions {
  std::vector<std::filesystem::path> keys = {};  // public keys, any of which may have signed
  std::vector<std::string> key_texts = {};       // the same as text, such as compiled in
  std::vector<std::filesystem::path> certificates = {};  // root certificates
  std::filesystem::path policy = {};  // which keys may sign which patches; empty: each may all

  // Loads what nobody signed too, and, where none of the above is given, what nobody could check;
  // PatchInfo::warning says so. With any of the above, a signature that is there must hold.
  bool allow_unsigned = false;
};

// What a patch says of itself (its manifest, docs/format.md), and what was found out about it.
struct PatchInfo {
  std::string name, version;  // "refuse", "1.0.0"
  std::int64_t sequence = 0;  // grows with each release of the name
  std::string risk, summary;  // what it is about, for people
  std::string license;        // an SPDX expression
  std::string expires;        // "2031-02-28T23:59:59Z", or empty; not enforced by this library
  std::string base_model;     // the name of the model it was learned on; proves nothing
  std::string signer;         // who signed it, "key <hint>" for a key; empty: not verified
  std::string digest;   // of the verified files (SHA-256, as `llmpatch verify` shows it), or empty
  std::string warning;  // to be shown where its answers are; empty when its signature holds
};

// Immutable: copies share one patch, and threads may.
class LLMPATCH_EXPORT SafetyPatch {
 public:
  // Reads a patch directory or .llmpatch file, each file once, and verifies it in memory.
  //
  // kNotFound: no such patch. kUntrusted: checked and not valid (no signature; one by somebody
  // else; a file changed, missing or added; a signer whom the policy does not let sign this patch).
  // kUnverifiable: a signature, but nothing to check it with, or a key, certificate or policy that
  // cannot be read. kInvalidArgument: certificates beside a policy, whose rules would not let them
  // sign anything. kCorrupt, kUnsupported, kLimit: the contents are not a patch's, of a newer
  // format, or too large. kIo.
  static Result<SafetyPatch> load(const std::filesystem::path& path, const LoadOptions& options);
  // The same for the bytes of a .llmpatch file, which `name` stands for in messages.
  static Result<SafetyPatch> from_bytes(std::string_view archive, const LoadOptions& options,
                                        std::string_view name = "patch");

  const PatchInfo& info() const;

  std::size_t rows() const;   // each takes a position and a KV cell
  std::size_t width() const;  // of a row: that of the model's input embeddings
  // Row-major [rows(), width()], in the scale that the model's architecture expects of input
  // embeddings; lives as long as a copy of the patch does.
  std::span<const float> values() const;

 private:
  friend class BaseModel;
  friend class PatchStack;
  struct State;
  explicit SafetyPatch(std::shared_ptr<const State> state);
  std::shared_ptr<const State> state_;
};

}  // namespace llmpatch
