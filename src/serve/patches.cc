#include "serve/patches.h"

#include <algorithm>

namespace llmpatch {
namespace {

bool is_same(const NamedStack& a, const NamedStack& b) {
  return std::ranges::equal(a.patches, b.patches, [](const Requirement& x, const Requirement& y) {
    return x.name == y.name && x.version == y.version && x.caret == y.caret;
  });
}

// Checks the stacks that the operator named. Those that stand in `before` (may be null) as they do
// now once were what they say: if that is gone, the patches have changed, which no configuration
// heals. One that was revoked may come back.
Status check_named(const PatchTable& next, const PatchTable* before) {
  for (const auto& [name, stack] : next.stacks) {
    if (before != nullptr) {
      const auto old = before->stacks.find(name);
      if (old != before->stacks.end() && is_same(stack, old->second)) continue;
    }
    ModelId id;
    id.patches = {name};
    const Result<ResolvedStack> found = next.resolve({}, id);
    if (!found.ok() && found.error().kind != ErrorKind::kDenied) {
      Error error = found.error();
      error.message = "--stack " + name + ": " + error.message;
      return error;
    }
    if (next.has_name(name)) {
      return make_error(ErrorKind::kInvalidArgument, "serve",
                        "--stack " + name + ": found a patch of that name",
                        "give the stack another name");
    }
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Patches>> Patches::open(PatchSources sources, ServingEngine& engine) {
  std::unique_ptr<Patches> patches(new Patches(std::move(sources), engine));
  LLMPATCH_TRY(patches->reload());
  const Result<ResolvedStack> stack = patches->table()->default_stack();
  if (!stack.ok() && stack.error().kind != ErrorKind::kDenied &&
      stack.error().kind != ErrorKind::kUnmet) {
    return stack.error();
  }
  if (stack.ok()) LLMPATCH_TRY(stack->engine_stack());
  return patches;
}

std::shared_ptr<const PatchTable> Patches::table() const {
  const std::lock_guard lock(mutex_);
  return table_;
}

std::shared_ptr<const PatchSources> Patches::sources() const {
  const std::lock_guard lock(mutex_);
  return sources_;
}

Result<std::vector<std::string>> Patches::reload(std::optional<PatchSources> sources) {
  const std::lock_guard lock(reloading_);
  const std::shared_ptr<const PatchSources> chosen =
      sources ? std::make_shared<const PatchSources>(std::move(*sources)) : this->sources();
  const std::shared_ptr<const PatchTable> before = table();
  LLMPATCH_ASSIGN(std::shared_ptr<const PatchTable> next,
                  load_patches(*chosen, engine_, before.get()));
  LLMPATCH_TRY(check_named(*next, before.get()));
  // Put into the engine before anybody waits for it. What does not fit is said to the requests.
  if (const Result<ResolvedStack> stack = next->default_stack(); stack.ok()) {
    static_cast<void>(stack->engine_stack());
  }
  std::vector<std::string> news = warnings_of(*next);
  if (before) {
    const std::vector<std::string> old = warnings_of(*before);
    std::erase_if(news, [&](const std::string& line) {
      return std::find(old.begin(), old.end(), line) != old.end();
    });
  }
  const std::lock_guard exchange(mutex_);
  table_ = std::move(next);
  sources_ = chosen;
  return news;
}

std::vector<std::string> warnings_of(const PatchTable& table) {
  std::vector<std::string> lines;
  for (const auto& patch : table.patches) {
    lines.insert(lines.end(), patch->warnings.begin(), patch->warnings.end());
    if (patch->error && patch->is_current) {
      lines.push_back(patch->title() + " does not run: " + patch->error->message);
    }
  }
  for (const auto& [name, error] : table.blocked) lines.push_back(error.message);
  for (const auto& [name, reason] : table.without) lines.push_back(reason);
  for (const auto& [name, stack] : table.stacks) {
    if (!table.has_name(name)) continue;
    lines.push_back("the model id +" + name + " means the patch of that name, not the stack");
  }
  return lines;
}

}  // namespace llmpatch
