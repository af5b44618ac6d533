#include "serve/models.h"

namespace llmpatch {

Json models_json(const PatchTable& table, const std::string& base, const ApiKey* key,
                 std::int64_t created) {
  const auto model = [&](const std::string& id) {
    return Json{{"id", id}, {"object", "model"}, {"created", created}, {"owned_by", "llmpatch"}};
  };
  Json list = Json::array({model(base)});
  for (const auto& patch : table.patches) {
    if (patch->error || (key != nullptr && !key->may_run(patch->manifest.name))) continue;
    list.push_back(model(base + "+" + patch->title()));
    list.back()["parent"] = base;
  }
  return {{"object", "list"}, {"data", std::move(list)}};
}

}  // namespace llmpatch
