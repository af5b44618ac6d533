#include "distribution/oci_manifest.h"

#include <set>

#include "base/json.h"
#include "base/quote.h"
#include "distribution/oci_reference.h"

namespace llmpatch {
namespace {

constexpr const char* kEmptyType = "application/vnd.oci.empty.v1+json";
constexpr const char* kTitle = "org.opencontainers.image.title";
constexpr std::size_t kMaxReferrers = 1000;

const char* media_type_of(std::string_view file) {
  if (file == kRowsFile) return "application/vnd.llmpatch.rows.v1.safetensors";
  if (file == kManifestFile) return "application/vnd.llmpatch.manifest.v1+json";
  if (file == kAdapterConfigFile) return "application/vnd.llmpatch.adapter-config.v1+json";
  if (file == kCardFile) return "application/vnd.llmpatch.card.v1+json";
  if (file == kSignatureFile) return kBundleType;
  return "text/markdown";
}

Json descriptor(const char* type, std::string_view bytes) {
  return {{"mediaType", type}, {"digest", oci_digest(bytes)}, {"size", bytes.size()}};
}

Json empty_config() {
  Json config = descriptor(kEmptyType, kEmptyConfig);
  config["data"] = "e30=";  // of its two bytes
  return config;
}

Json layer_of(const std::string& file, const std::string& bytes) {
  Json layer = descriptor(media_type_of(file), bytes);
  layer["annotations"] = {{kTitle, file}, {"org.cncf.model.filepath", file}};
  return layer;
}

Error corrupt(std::string_view where, const std::string& message) {
  return make_error(ErrorKind::kCorrupt, "registry", std::string(where) + ": " + message);
}

// The digest and size of a layer.
Result<OciLayer> parse_layer(const Json& layer, std::string_view where) {
  if (!layer.is_object()) return corrupt(where, "layer: found no object");
  OciLayer parsed;
  LLMPATCH_TRY(json_string(layer, "mediaType", where));
  LLMPATCH_ASSIGN(parsed.digest, json_string(layer, "digest", where));
  LLMPATCH_ASSIGN(const std::int64_t size, json_integer(layer, "size", where));
  if (!is_oci_digest(parsed.digest)) {
    return corrupt(where, "layer digest: found " + quote(parsed.digest) +
                              ", expected sha256: and 64 hexadecimal digits");
  }
  if (size < 0) return corrupt(where, "layer size: found a negative one");
  parsed.size = static_cast<std::uint64_t>(size);
  return parsed;
}

Result<OciLayer> parse_patch_layer(const Json& layer, std::string_view where) {
  LLMPATCH_ASSIGN(OciLayer parsed, parse_layer(layer, where));
  LLMPATCH_ASSIGN(const Json annotations, json_object(layer, "annotations", where));
  LLMPATCH_ASSIGN(parsed.file, json_string(annotations, kTitle, where));
  LLMPATCH_TRY(check_patch_file(parsed.file, parsed.size, where));
  return parsed;
}

// The layers of an artifact of that type; `what` says in messages what it is.
Result<Json> read_layers(std::string_view bytes, const char* artifact_type, const char* what,
                         std::string_view where) {
  if (bytes.size() > kMaxOciManifest) {
    return make_error(ErrorKind::kLimit, "registry",
                      std::string(where) + ": found a manifest of more than 4 MiB");
  }
  LLMPATCH_ASSIGN(const Json manifest, parse_json(bytes, where));
  const auto text = [&](const char* key) {
    const auto found = manifest.is_object() ? manifest.find(key) : manifest.end();
    return found != manifest.end() && found->is_string() ? found->get<std::string>() : "";
  };
  const std::string type = text("mediaType"), artifact = text("artifactType");
  if (!manifest.is_object()) return corrupt(where, "found no object");
  if (type != kOciManifestType || artifact != artifact_type) {
    // The media type of an image may be left out.
    const std::string found = type != kOciManifestType || artifact.empty()
                                  ? "an image or index (" + quote(type, 120) + ")"
                                  : "an artifact of the type " + quote(artifact, 120);
    return make_error(ErrorKind::kMismatch, "registry",
                      std::string(where) + ": found " + found + ", expected " + what + " (" +
                          artifact_type + ")");
  }
  LLMPATCH_ASSIGN(const std::int64_t schema, json_integer(manifest, "schemaVersion", where));
  if (schema != 2) return corrupt(where, "schemaVersion: expected 2");
  return json_array(manifest, "layers", where);
}

}  // namespace

std::string make_oci_manifest(const PatchFiles& files, const Manifest& manifest) {
  Json layers = Json::array();
  for (const auto& [file, bytes] : files) layers.push_back(layer_of(file, bytes));
  Json annotations{{kTitle, manifest.name},
                   {"org.opencontainers.image.version", manifest.version},
                   {"org.opencontainers.image.licenses", manifest.license},
                   {"org.llmpatch.risk", manifest.risk},
                   {"org.llmpatch.sequence", std::to_string(manifest.sequence)},
                   {"org.llmpatch.base", manifest.base.name}};
  if (!manifest.summary.empty()) {
    annotations["org.opencontainers.image.description"] = manifest.summary;
  }
  return Json{{"schemaVersion", 2},
              {"mediaType", kOciManifestType},
              {"artifactType", kPatchArtifactType},
              {"config", empty_config()},
              {"layers", layers},
              {"annotations", annotations}}
      .dump();
}

Result<std::vector<OciLayer>> parse_oci_manifest(std::string_view bytes, std::string_view where) {
  LLMPATCH_ASSIGN(const Json layers, read_layers(bytes, kPatchArtifactType, "a patch", where));
  std::vector<OciLayer> parsed;
  std::set<std::string> names;
  for (const Json& layer : layers) {
    LLMPATCH_ASSIGN(OciLayer next, parse_patch_layer(layer, where));
    // Each name once also bounds their number.
    if (!names.insert(next.file).second) return corrupt(where, "found " + next.file + " twice");
    parsed.push_back(std::move(next));
  }
  if (parsed.empty()) return corrupt(where, "layers: found none");
  return parsed;
}

std::string make_file_manifest(const std::string& file, std::string_view bytes,
                               const char* artifact_type, const char* media_type) {
  Json layer = descriptor(media_type, bytes);
  layer["annotations"] = {{kTitle, file}};
  return Json{{"schemaVersion", 2},
              {"mediaType", kOciManifestType},
              {"artifactType", artifact_type},
              {"config", empty_config()},
              {"layers", Json::array({layer})}}
      .dump();
}

Result<OciLayer> parse_file_manifest(std::string_view bytes, const std::string& file,
                                     const char* artifact_type, std::string_view where) {
  LLMPATCH_ASSIGN(const Json layers,
                  read_layers(bytes, artifact_type, "a file of a channel", where));
  if (layers.size() != 1) {
    return corrupt(where, "layers: found " + std::to_string(layers.size()) + ", expected one");
  }
  LLMPATCH_ASSIGN(OciLayer layer, parse_layer(layers[0], where));
  layer.file = file;
  return layer;
}

std::string make_signature_manifest(const std::string& bundle, const std::string& subject_digest,
                                    std::uint64_t subject_size) {
  Json layer = descriptor(kBundleType, bundle);
  layer["annotations"] = {{kTitle, kSignatureFile}};
  return Json{
      {"schemaVersion", 2},
      {"mediaType", kOciManifestType},
      {"artifactType", kBundleType},
      {"config", empty_config()},
      {"layers", Json::array({layer})},
      {"subject",
       {{"mediaType", kOciManifestType}, {"digest", subject_digest}, {"size", subject_size}}},
      {"annotations",
       {{"dev.sigstore.bundle.content", "dsse-envelope"},
        {"dev.sigstore.bundle.predicateType", "https://model_signing/signature/v1.0"}}}}
      .dump();
}

Result<std::string> add_referrer(std::string_view known, const std::string& manifest,
                                 std::string_view where) {
  Json index{{"schemaVersion", 2}, {"mediaType", kOciIndexType}, {"manifests", Json::array()}};
  if (!known.empty()) {
    LLMPATCH_ASSIGN(index, parse_json(known, where));
    LLMPATCH_ASSIGN(const std::string type, json_string(index, "mediaType", where));
    LLMPATCH_ASSIGN(const Json manifests, json_array(index, "manifests", where));
    if (type != kOciIndexType || manifests.size() >= kMaxReferrers) {
      return corrupt(where, "found no index of referrers, or one with too many");
    }
  }
  Json entry = descriptor(kOciManifestType, manifest);
  entry["artifactType"] = kBundleType;
  for (const Json& other : index["manifests"]) {
    if (other.is_object() && other.value("digest", Json()) == entry["digest"]) return index.dump();
  }
  index["manifests"].push_back(entry);
  return index.dump();
}

}  // namespace llmpatch
