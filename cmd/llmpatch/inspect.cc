// llmpatch inspect: what a patch says about itself, and whether it belongs to a model.
#include "patch/inspect.h"

#include <memory>

#include "base_match.h"
#include "command.h"
#include "named_patch.h"
#include "terminal.h"
#include "trust/load.h"
#include "trust/verify.h"
#include "trust_options.h"

namespace llmpatch {
namespace {

struct Options {
  NamedPatch patch;
  std::filesystem::path model;
  TrustOptions trust;
  bool json = false;
};

// A patch to look at, and what is known of its signature.
struct Shown {
  Patch patch;
  Json signature;  // {"state": "none" | "unchecked" | "installed" | "verified", ...}
  std::string signature_text;
  std::string warning;
  StoreVerdict verdict;
};

// Looking at a patch does not run it: without a key its signature is reported, not demanded.
Result<Shown> show_unchecked(const NamedFiles& named) {
  Shown shown;
  LLMPATCH_ASSIGN(shown.patch, patch_from_files(named.files, named.source));
  if (named.recorded) {
    const std::string signer = named.recorded->to_string();
    shown.signature = {{"state", "installed"}, {"signer", signer}};
    shown.signature_text = "verified when it was installed, by " + signer + "; not now (--key)";
    return shown;
  }
  if (!shown.patch.is_signed) {
    shown.signature = {{"state", "none"}};
    shown.signature_text = "none";
    return shown;
  }
  const auto signer = claimed_signer(named.files, named.source.string());
  shown.signature = {{"state", "unchecked"}, {"claims", signer.ok() ? Json(*signer) : Json()}};
  shown.signature_text =
      (signer.ok() ? "claims to be by " + *signer : "unreadable: " + signer.error().message) +
      "; not checked (--key)";
  return shown;
}

Result<Shown> show_checked(const NamedFiles& named, const Trust& trust, AllowUnsigned allow) {
  LLMPATCH_ASSIGN(TrustedPatch loaded, load_trusted_files(named.files, named.source, trust, allow));
  Shown shown;
  shown.patch = std::move(loaded.patch);
  shown.warning = std::move(loaded.warning);
  if (loaded.signer) {
    shown.signature = {{"state", "verified"},
                       {"signer", loaded.signer->to_string()},
                       {"root_digest", loaded.root_digest}};
    shown.signature_text = "verified, by " + loaded.signer->to_string();
  } else {
    shown.signature = {{"state", "none"}};
    shown.signature_text = "none";
  }
  return shown;
}

Result<Shown> load(const Options& options) {
  LLMPATCH_ASSIGN(const Trust trust, options.trust.trust());
  LLMPATCH_ASSIGN(const NamedFiles named, options.patch.read(!trust.empty()));
  Shown shown;
  if (trust.empty()) {
    LLMPATCH_ASSIGN(shown, show_unchecked(named));
  } else {
    LLMPATCH_ASSIGN(shown, show_checked(named, trust, options.trust.allow()));
  }
  LLMPATCH_ASSIGN(shown.verdict, options.patch.ask_store(named, shown.patch.manifest, trust));
  return shown;
}

Status run(const Options& options) {
  LLMPATCH_ASSIGN(const Shown shown, load(options));
  if (!shown.warning.empty()) warn(shown.warning);
  PatchReport report = inspect_patch(shown.patch);
  report.signature = shown.signature_text;
  if (shown.verdict.refused) report.refusal = shown.verdict.refused->message;
  Json json = report.to_json();
  json["revoked"] = shown.verdict.revoked;
  json["signature"] = shown.signature;
  if (!shown.warning.empty()) json["warning"] = shown.warning;
  std::string text = report.to_text();
  if (!options.model.empty()) {
    LLMPATCH_ASSIGN(const IdentityMatch match, match_base(shown.patch, options.model));
    const std::string verdict(verdict_name(match.verdict));
    json["match"] = {
        {"model", options.model.string()}, {"verdict", verdict}, {"reason", match.reason}};
    text += "on " + options.model.string() + ": " + verdict + " (" + match.reason + ")\n";
    if (match.verdict != IdentityVerdict::kDifferent) {
      LLMPATCH_ASSIGN(const RowsOnModel rows, rows_on_model(shown.patch, options.model));
      json["match"]["rows"] = rows.json;
      text += rows.text;
      if (!rows.warning.empty()) {
        warn(rows.warning);
        json["match"]["warning"] = rows.warning;
      }
    }
  }
  return print(options.json ? json_pretty(json) : text);
}

}  // namespace

RunFn declare_inspect(CLI::App& app) {
  auto options = std::make_shared<Options>();
  options->patch.declare(app);
  app.add_option("--model", options->model,
                 "Tell also whether the patch belongs to this model, and which of its tokens'\n"
                 "embeddings the rows are near to");
  options->trust.declare(app);
  options->trust.declare_allow_unsigned(app);
  app.add_flag("--json", options->json, "Print JSON");
  return [options](const CancelFlag&) { return run(*options); };
}

}  // namespace llmpatch
