#include "serve/models.h"

#include <algorithm>

namespace llmpatch {

bool may_see(const ApiKey* key, const Result<ResolvedStack>& stack) {
  if (key == nullptr || !key->patches) return true;
  return stack.ok() &&
         std::all_of(stack->patches.begin(), stack->patches.end(),
                     [&](const auto& patch) { return key->may_run(patch->manifest.name); });
}

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
  for (const auto& [name, named] : table.stacks) {
    ModelId id;
    id.patches = {name};
    if (table.has_name(name)) continue;  // the patch's now
    const Result<ResolvedStack> stack = table.resolve({}, id);
    if (!stack.ok() || !may_see(key, stack)) continue;
    list.push_back(model(base + "+" + name));
    list.back()["parent"] = base;
  }
  return {{"object", "list"}, {"data", std::move(list)}};
}

}  // namespace llmpatch
