#include "runtime/adapter_record.h"

#include "base/file_digest.h"

namespace llmpatch {
namespace {

Result<Json> describe_file(const std::filesystem::path& path, float scale, std::string_view what) {
  Json json{{"file", path.filename().string()}, {"scale", scale}};
  LLMPATCH_ASSIGN(json["sha256"], sha256_of_file(path, what));
  return json;
}

}  // namespace

Result<Json> describe(const Adapters& adapters) {
  Json json = Json::object();
  for (const LoraAdapter& lora : adapters.lora) {
    LLMPATCH_ASSIGN(Json one, describe_file(lora.path, lora.scale, "LoRA adapter"));
    json["lora"].push_back(std::move(one));
  }
  if (adapters.control_vector) {
    const ControlVector& vector = *adapters.control_vector;
    LLMPATCH_ASSIGN(json["control_vector"],
                    describe_file(vector.path, vector.scale, "control vector"));
    json["control_vector"]["layers"] = {vector.first_layer, vector.last_layer};
  }
  return json;
}

}  // namespace llmpatch
