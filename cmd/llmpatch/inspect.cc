// llmpatch inspect: what a patch says about itself, and whether it belongs to a model.
#include "patch/inspect.h"

#include <memory>

#include "command.h"
#include "gguf/gguf_file.h"
#include "gguf/identity.h"
#include "terminal.h"

namespace llmpatch {
namespace {

struct Options {
  std::filesystem::path patch, model;
  bool json = false;
};

Result<IdentityMatch> match_base(const Patch& patch, const std::filesystem::path& model) {
  LLMPATCH_ASSIGN(const GgufFile file, GgufFile::open(model));
  return match_identity(patch.manifest.base, file);
}

Status run(const Options& options) {
  LLMPATCH_ASSIGN(const Patch patch, load_patch(options.patch));
  const PatchReport report = inspect_patch(patch);
  Json json = report.to_json();
  std::string text = report.to_text();
  if (!options.model.empty()) {
    LLMPATCH_ASSIGN(const IdentityMatch match, match_base(patch, options.model));
    const std::string verdict(verdict_name(match.verdict));
    json["match"] = {
        {"model", options.model.string()}, {"verdict", verdict}, {"reason", match.reason}};
    text += "on " + options.model.string() + ": " + verdict + " (" + match.reason + ")\n";
  }
  return print(options.json ? json_pretty(json) : text);
}

}  // namespace

RunFn declare_inspect(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("PATCH", options->patch, "Patch directory or .llmpatch file")->required();
  app.add_option("--model", options->model, "Tell also whether the patch belongs to this model");
  app.add_flag("--json", options->json, "Print JSON");
  return [options](const CancelFlag&) { return run(*options); };
}

}  // namespace llmpatch
