#include "trust/bundle.h"

#include "base/base64.h"
#include "base/json.h"
#include "base/quote.h"
#include "trust/certificate.h"
#include "trust/strict_json.h"

namespace llmpatch {
namespace {

constexpr const char* kMediaType = "application/vnd.dev.sigstore.bundle.v0.3+json";
constexpr const char* kPayloadType = "application/vnd.in-toto+json";
constexpr std::size_t kMaxSignature = 256;  // in DER; P-521 needs 139

Result<std::string> decoded(const Json& value, const std::string& where) {
  LLMPATCH_ASSIGN(const std::string text, text_of(value, where));
  auto bytes = base64_decode(text);
  if (!bytes || bytes->empty()) return untrusted(where, "found no base64 text");
  return *std::move(bytes);
}

Result<std::vector<std::string>> read_chain(const Json& json, const std::string& where) {
  LLMPATCH_TRY(check_members(json, {"certificates"}, {}, where));
  const Json& list = json["certificates"];
  if (!list.is_array() || list.empty() || list.size() > kMaxChain) {
    return untrusted(where, "found " +
                                (list.is_array() ? std::to_string(list.size()) + " certificates"
                                                 : std::string(list.type_name())) +
                                ", expected a list of 1 to " + std::to_string(kMaxChain));
  }
  std::vector<std::string> chain;
  for (const Json& certificate : list) {
    LLMPATCH_TRY(check_members(certificate, {"rawBytes"}, {}, where));
    LLMPATCH_ASSIGN(std::string der, decoded(certificate["rawBytes"], where + ".rawBytes"));
    chain.push_back(std::move(der));
  }
  return chain;
}

Status read_material(const Json& json, Bundle& bundle, const std::string& where) {
  if (json.is_object() && json.contains("certificate")) {
    return make_error(ErrorKind::kUnverifiable, "trust",
                      where +
                          ": found a signature of Sigstore's keyless method, expected one by a "
                          "key or a certificate chain");
  }
  LLMPATCH_TRY(
      check_members(json, {}, {"publicKey", "x509CertificateChain", "tlogEntries"}, where));
  if (json.contains("publicKey") == json.contains("x509CertificateChain")) {
    return untrusted(where, "expected one of publicKey and x509CertificateChain");
  }
  // Nobody here could check them, so they must not look as if somebody had.
  if (json.contains("tlogEntries") && json["tlogEntries"] != Json::array()) {
    return untrusted(where, "tlogEntries: expected an empty list");
  }
  if (json.contains("x509CertificateChain")) {
    LLMPATCH_ASSIGN(bundle.certificates,
                    read_chain(json["x509CertificateChain"], where + ".x509CertificateChain"));
    return {};
  }
  const Json& key = json["publicKey"];
  LLMPATCH_TRY(check_members(key, {}, {"hint"}, where + ".publicKey"));
  if (key.contains("hint")) {
    LLMPATCH_ASSIGN(bundle.hint, text_of(key["hint"], where + ".hint"));
  }
  return {};
}

Status read_envelope(const Json& json, Bundle& bundle, const std::string& where) {
  LLMPATCH_TRY(check_members(json, {"payload", "payloadType", "signatures"}, {}, where));
  LLMPATCH_TRY(check_text(json["payloadType"], kPayloadType, where + ".payloadType"));
  LLMPATCH_ASSIGN(bundle.payload, decoded(json["payload"], where + ".payload"));
  const Json& signatures = json["signatures"];
  if (!signatures.is_array() || signatures.size() != 1) {
    return untrusted(where, "signatures: found " +
                                (signatures.is_array() ? std::to_string(signatures.size())
                                                       : std::string(signatures.type_name())) +
                                ", expected exactly one");
  }
  const Json& signature = signatures[0];
  LLMPATCH_TRY(check_members(signature, {"sig"}, {"keyid"}, where + ".signatures"));
  LLMPATCH_ASSIGN(bundle.signature, decoded(signature["sig"], where + ".sig"));
  if (bundle.signature.size() > kMaxSignature) return untrusted(where, "sig: found too long a one");
  if (signature.contains("keyid")) {
    LLMPATCH_ASSIGN(bundle.keyid, text_of(signature["keyid"], where + ".keyid"));
  }
  return {};
}

}  // namespace

std::string dsse_pae(std::string_view payload) {
  const std::string type = kPayloadType;
  return "DSSEv1 " + std::to_string(type.size()) + " " + type + " " +
         std::to_string(payload.size()) + " " + std::string(payload);
}

std::string bundle_to_json(const Bundle& bundle) {
  OrderedJson json;
  json["mediaType"] = kMediaType;
  OrderedJson& material = json["verificationMaterial"] = OrderedJson::object();
  if (bundle.has_certificate()) {
    OrderedJson& chain = material["x509CertificateChain"]["certificates"] = OrderedJson::array();
    for (const std::string& der : bundle.certificates) {
      chain.push_back({{"rawBytes", base64_encode(der)}});
    }
  } else {
    material["publicKey"] = OrderedJson::object();
    if (!bundle.hint.empty()) material["publicKey"]["hint"] = bundle.hint;
  }
  material["tlogEntries"] = OrderedJson::array();
  const OrderedJson signature = {{"sig", base64_encode(bundle.signature)}, {"keyid", bundle.keyid}};
  json["dsseEnvelope"] = {{"payload", base64_encode(bundle.payload)},
                          {"payloadType", kPayloadType},
                          {"signatures", OrderedJson::array({signature})}};
  return json_pretty(json);
}

Result<Bundle> parse_bundle(std::string_view text, std::string_view where) {
  LLMPATCH_ASSIGN(const Json json, parse_untrusted_json(text, where));
  const auto inside = [&](const char* member) { return std::string(where) + ": " + member; };
  LLMPATCH_TRY(
      check_members(json, {"mediaType", "verificationMaterial", "dsseEnvelope"}, {}, where));
  LLMPATCH_TRY(check_text(json["mediaType"], kMediaType, inside("mediaType")));
  Bundle bundle;
  LLMPATCH_TRY(read_material(json["verificationMaterial"], bundle, inside("verificationMaterial")));
  LLMPATCH_TRY(read_envelope(json["dsseEnvelope"], bundle, inside("dsseEnvelope")));
  if (!bundle.has_certificate() && !bundle.keyid.empty() && bundle.keyid != bundle.hint) {
    return untrusted(
        where, "keyid: found " + quote(bundle.keyid) + ", expected the hint " + quote(bundle.hint));
  }
  return bundle;
}

}  // namespace llmpatch
