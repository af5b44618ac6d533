// What stands in for base_match.cc, named_patch.cc, subcommands.cc and tool_version.cc in a program
// that only checks and signs patches: no llama.cpp, no LibTorch, no store.
#include <openssl/crypto.h>

#include "base_match.h"
#include "command.h"
#include "named_patch.h"
#include "tool_version.h"
#include "trust/verify.h"

namespace llmpatch {

namespace {

Error no_models() {
  return make_error(ErrorKind::kUnsupported, "inspect",
                    "--model: this program was built without what reads models",
                    "build it without -DLLMPATCH_VERIFY_ONLY=ON");
}

}  // namespace

Result<IdentityMatch> match_base(const Patch&, const std::filesystem::path&) { return no_models(); }

Result<RowsOnModel> rows_on_model(const Patch&, const std::filesystem::path&) {
  return no_models();
}

void NamedPatch::declare(CLI::App& app) {
  app.add_option("PATCH", patch, "Patch directory or .llmpatch file")->required();
}

Result<NamedFiles> NamedPatch::read(bool to_verify) const {
  NamedFiles named;
  named.source = patch;
  LLMPATCH_ASSIGN(named.files, to_verify ? read_signed_files(patch) : read_patch_files(patch));
  return named;
}

Result<StoreVerdict> NamedPatch::ask_store(const NamedFiles&, const Manifest&, const Trust&) const {
  return StoreVerdict();
}

std::string version_text() {
  return std::string("llmpatch " LLMPATCH_VERSION "\nverify-only\n") +
         OpenSSL_version(OPENSSL_VERSION);
}

std::span<const Subcommand> subcommands() {
  static constexpr Subcommand kSubcommands[] = {
      {"inspect", kInspectSummary, declare_inspect}, {"keygen", kKeygenSummary, declare_keygen},
      {"sign", kSignSummary, declare_sign},          {"verify", kVerifySummary, declare_verify},
      {"pack", kPackSummary, declare_pack},          {"unpack", kUnpackSummary, declare_unpack},
  };
  return kSubcommands;
}

}  // namespace llmpatch
