// Any bytes as what a registry or a user says: a manifest, an index of referrers, a challenge, a
// reference, an address. What is accepted must keep the promises of its reader.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string_view>

#include "distribution/oci_manifest.h"
#include "distribution/oci_reference.h"
#include "distribution/registry_auth.h"
#include "http/url.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void read_manifest(std::string_view text) {
  const auto layers = llmpatch::parse_oci_manifest(text, "fuzz");
  if (!layers.ok()) return;
  std::set<std::string> names;
  for (const auto& layer : *layers) {
    require(llmpatch::is_oci_digest(layer.digest));
    require(llmpatch::check_patch_file(layer.file, layer.size, "fuzz").ok());
    require(names.insert(layer.file).second);
  }
  require(!names.empty());
}

void read_file_manifest(std::string_view text) {
  const auto layer =
      llmpatch::parse_file_manifest(text, "file", llmpatch::kChannelArtifactType, "fuzz");
  if (layer.ok()) require(llmpatch::is_oci_digest(layer->digest) && layer->file == "file");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  read_manifest(text);
  read_file_manifest(text);
  (void)llmpatch::parse_challenge(text).ok();

  const auto reference = llmpatch::parse_oci_reference(text);
  if (reference.ok()) {
    const auto again = llmpatch::parse_oci_reference(reference->to_string());
    require(again.ok() && again->to_string() == reference->to_string());
    require(llmpatch::parse_url("https://" + reference->host + "/v2/").ok());
  }
  const auto index = llmpatch::add_referrer(text, "{}", "fuzz");
  if (index.ok() && !text.empty()) {
    const auto again = llmpatch::add_referrer(*index, "{}", "fuzz");  // it is in already
    require(again.ok() ? *again == *index : true);
  }
  const auto url = llmpatch::resolve_url("https://registry.example.com/v2/a/", text);
  if (url.ok()) require(llmpatch::parse_url(*url).ok());
  return 0;
}
