#include "serve/served_patch.h"

#include "patch/expiry.h"

namespace llmpatch {
namespace {

Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

}  // namespace

std::string ServedPatch::title() const { return manifest.name + "@" + manifest.version; }

const char* ServedPatch::state() const {
  if (!error) return "ready";
  return error->kind == ErrorKind::kDenied ? "revoked" : "failed";
}

bool ServedPatch::has_expired() const {
  return llmpatch::has_expired(manifest);
}

Json signer_json(const Signer& signer) {
  return {{"key", signer.key},
          {"subject", text_or_null(signer.subject)},
          {"root", text_or_null(signer.root)}};
}

Json patch_json(const ServedPatch& patch, const std::string& base) {
  const Manifest& manifest = patch.manifest;
  Json card = Json::array();
  for (const EffectRow& row : patch.card) {
    card.push_back({{"suite", row.suite},
                    {"metric", row.metric},
                    {"system", row.system},
                    {"value", row.value},
                    {"low", row.low},
                    {"high", row.high},
                    {"n", row.n}});
  }
  return {{"object", "patch"},
          {"name", manifest.name},
          {"version", manifest.version},
          {"id", base + "+" + patch.title()},
          {"source", patch.source == ServedPatch::Source::kStore ? "store" : "file"},
          {"active", patch.is_current},
          {"state", patch.state()},
          {"error", patch.error ? Json(patch.error->message) : Json()},
          {"warnings", patch.warnings},
          {"summary", text_or_null(manifest.summary)},
          {"risk", text_or_null(manifest.risk)},
          {"license", text_or_null(manifest.license)},
          {"rows", patch.prefix ? Json(patch.prefix->size()) : Json()},
          {"sequence", manifest.sequence},
          {"expires", manifest.expires ? Json(*manifest.expires) : Json()},
          {"expired", patch.has_expired()},
          {"digest", patch.digest.empty() ? Json() : Json("sha256:" + patch.digest)},
          {"signer", patch.signer ? signer_json(*patch.signer) : Json()},
          {"requires", manifest.required},
          {"conflicts", manifest.compose.conflicts},
          {"card", std::move(card)}};
}

}  // namespace llmpatch
