#include "serve/patch_table.h"

#include <algorithm>

#include "base/join.h"
#include "base/quote.h"
#include "patch/names.h"
#include "patch/stack.h"

namespace llmpatch {
namespace {

std::string text_of(const Requirement& wanted) {
  if (wanted.version.empty()) return wanted.name;
  return wanted.name + (wanted.caret ? "@^" : "@") + wanted.version;
}

// Which of two versions in a range is meant: one that runs before one that does not, then the one
// that is active, so that rolling back withdraws a version from ranges too, then the newer.
bool is_better(const ServedPatch& patch, const ServedPatch& than) {
  if (patch.error.has_value() != than.error.has_value()) return !patch.error;
  if (patch.is_current != than.is_current) return patch.is_current;
  return compare_semver(patch.manifest.version, than.manifest.version) > 0;
}

Status check_together(const std::vector<std::shared_ptr<const ServedPatch>>& patches) {
  std::vector<Manifest> manifests;
  for (const auto& patch : patches) manifests.push_back(patch->manifest);
  const Status status = check_stack(manifests);
  if (status.ok()) return {};
  Error error = status.error();
  error.kind = ErrorKind::kInvalidArgument;  // of this request; not of a patch and the model
  return error;
}

}  // namespace

std::string ResolvedStack::title() const {
  std::vector<std::string> titles;
  for (const auto& patch : patches) titles.push_back(patch->title());
  return titles.empty() ? "none" : join(titles, "+");
}

std::size_t ResolvedStack::rows() const {
  std::size_t rows = 0;
  for (const auto& patch : patches) rows += patch->prefix->size();
  return rows;
}

std::string ResolvedStack::header() const {
  // One patch alone is the same either way.
  const bool is_parallel = compose == Compose::kParallel && patches.size() > 1;
  return title() + (is_parallel ? ";compose=parallel" : "");
}

Json ResolvedStack::json() const {
  Json titles = Json::array();
  for (const auto& patch : patches) titles.push_back(patch->title());
  Json json{{"patches", std::move(titles)},
            {"compose", compose == Compose::kParallel ? "parallel" : "sequential"}};
  if (!warnings.empty()) json["warnings"] = warnings;
  return json;
}

Result<Stack> ResolvedStack::engine_stack() const {
  Stack stack;
  stack.compose = compose;
  for (const auto& patch : patches) {
    LLMPATCH_ASSIGN(const PrefixId id, patch->prefix->id());
    stack.prefixes.push_back(id);
  }
  return stack;
}

const NamedStack* PatchTable::named(const StackRequest& request, const ModelId& id) const {
  if (request.patches || id.patches.size() != 1 || has_name(id.patches.front())) return nullptr;
  const auto found = stacks.find(id.patches.front());
  return found == stacks.end() ? nullptr : &found->second;
}

// The parts of a model's id, those put together that a version's build metadata took apart.
Result<std::vector<Requirement>> PatchTable::wanted(const StackRequest& request,
                                                    const ModelId& id) const {
  if (request.patches) {
    if (id.is_base) return *request.patches;
    return make_error(ErrorKind::kInvalidArgument, "patches",
                      "patches: found them in the model's id too, expected one of the two");
  }
  if (id.is_base) return defaults;
  if (const NamedStack* stack = named(request, id)) return stack->patches;
  if (id.patches.size() > kMaxStack) {
    return make_error(ErrorKind::kInvalidArgument, "model",
                      "model: found " + std::to_string(id.patches.size()) +
                          " patches, expected at most " + std::to_string(kMaxStack));
  }
  std::vector<Requirement> parts;
  for (const std::string& part : id.patches) {
    if (!parts.empty() && !parts.back().caret && !parts.back().version.empty()) {
      const std::string longer = parts.back().version + "+" + part;
      const bool is_there = std::any_of(patches.begin(), patches.end(), [&](const auto& patch) {
        return patch->manifest.name == parts.back().name && patch->manifest.version == longer;
      });
      if (is_there) {
        parts.back().version = longer;
        continue;
      }
    }
    Result<Requirement> parsed = parse_patch_reference(part);
    if (!parsed.ok()) {
      // A model's id that cannot be is one that is not there.
      return make_error(ErrorKind::kNotFound, "model", "model: " + parsed.error().message);
    }
    parts.push_back(std::move(*parsed));
  }
  return parts;
}

Result<std::shared_ptr<const ServedPatch>> PatchTable::find(const Requirement& wanted) const {
  std::shared_ptr<const ServedPatch> best;
  std::vector<std::string> others;
  for (const auto& patch : patches) {
    if (patch->manifest.name != wanted.name) continue;
    others.push_back(patch->manifest.version);
    const bool is_meant = wanted.version.empty()
                              ? patch->is_current
                              : wanted.is_met_by(wanted.name, patch->manifest.version);
    if (!is_meant) continue;
    if (best == nullptr || (wanted.caret && is_better(*patch, *best))) best = patch;
  }
  if (best != nullptr) {
    if (best->error) return *best->error;
    return best;
  }
  if (wanted.version.empty()) {
    if (const auto found = blocked.find(wanted.name); found != blocked.end()) return found->second;
  }
  std::string message = "patch " + quote(text_of(wanted)) + ": found ";
  if (others.empty()) {
    message += "none of that name";
  } else {
    message += std::string(wanted.version.empty() ? "no active version, " : "") + "only " +
               join(others, ", ");
  }
  return make_error(ErrorKind::kNotFound, "patches", std::move(message));
}

Result<ResolvedStack> PatchTable::resolve(const StackRequest& request, const ModelId& id) const {
  LLMPATCH_ASSIGN(const std::vector<Requirement> names, wanted(request, id));
  if (names.empty() && !request.patches && !allow_unpatched) {
    return make_error(ErrorKind::kUnmet, "patches",
                      "no patch is active, and this server does not run the model without",
                      "activate one, or start it with --allow-unpatched");
  }
  ResolvedStack stack;
  const NamedStack* its_name = named(request, id);
  const std::optional<Compose> own = its_name == nullptr ? std::nullopt : its_name->compose;
  stack.compose = request.compose.value_or(own.value_or(compose));
  for (const Requirement& name : names) {
    const auto reason = without.find(name.name);
    if (name.version.empty() && reason != without.end()) {
      stack.warnings.push_back(reason->second);
      continue;
    }
    LLMPATCH_ASSIGN(auto patch, find(name));
    stack.patches.push_back(std::move(patch));
  }
  LLMPATCH_TRY(check_together(stack.patches));
  if (stack.compose == Compose::kParallel) {  // one stack, however it is written
    std::sort(stack.patches.begin(), stack.patches.end(),
              [](const auto& a, const auto& b) { return a->manifest.name < b->manifest.name; });
  }
  return stack;
}

bool PatchTable::has_name(std::string_view name) const {
  return std::any_of(patches.begin(), patches.end(),
                     [&](const auto& patch) { return patch->manifest.name == name; });
}

Result<ResolvedStack> PatchTable::default_stack() const {
  ModelId base;
  base.is_base = true;
  return resolve({}, base);
}

}  // namespace llmpatch
