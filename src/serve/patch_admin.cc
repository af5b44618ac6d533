#include "serve/patch_admin.h"

#include "distribution/transfer.h"
#include "patch/names.h"
#include "serve/answer_request.h"
#include "serve/models.h"
#include "serve/request_fields.h"

namespace llmpatch {
namespace {

Json text_or_null(const std::optional<std::string>& text) { return text ? Json(*text) : Json(); }

Json installed_json(const InstalledPatch& patch) {
  return {{"name", patch.name},
          {"version", patch.version},
          {"digest", "sha256:" + patch.digest},
          {"active", patch.active},
          {"sequence", patch.sequence},
          {"expires", text_or_null(patch.expires)},
          {"risk", patch.risk},
          {"summary", patch.summary},
          {"signer", patch.signer ? signer_json(*patch.signer) : Json()},
          {"installed", patch.installed}};
}

Json history_json(const HistoryEntry& entry) {
  return {{"time", entry.time},
          {"who", entry.who},
          {"operation", entry.operation},
          {"name", text_or_null(entry.name)},
          {"version", text_or_null(entry.version)},
          {"digest", text_or_null(entry.digest)},
          {"signer", text_or_null(entry.signer)},
          {"outcome", entry.outcome},
          {"detail", entry.detail}};
}

// What the body of a change may say; none is an empty object.
struct ChangeRequest {
  std::string source, version;
  bool activate = false, allow_expired = false, allow_downgrade = false;
};

enum ChangeField { kInstalls = 1, kHasVersion = 2, kMayExpire = 4 };

Result<ChangeRequest> parse_change(const ApiCall& call, int takes) {
  const std::string& body = call.request().body;
  LLMPATCH_ASSIGN(const Json object, parse_body(body.empty() ? "{}" : body));
  RequestFields fields(object, "");
  ChangeRequest request;
  if ((takes & kInstalls) != 0) {
    fields.require("source");
    fields.text("source", 4096, request.source);
    fields.boolean("activate", request.activate);
    fields.boolean("allow_downgrade", request.allow_downgrade);
  }
  if ((takes & kMayExpire) != 0) fields.boolean("allow_expired", request.allow_expired);
  if ((takes & kHasVersion) != 0) {
    fields.text("version", kMaxVersionLength, request.version);
    if (!request.version.empty() && !is_semver(request.version)) {
      fields.fail("version", "found something else, expected one such as \"1.2.0\"");
    }
  }
  LLMPATCH_TRY(fields.finish());
  return request;
}

}  // namespace

PatchAdmin::PatchAdmin(Patches& patches, std::string model, RegistryOptions registry,
                       std::function<Status()> reload)
    : patches_(patches),
      model_(std::move(model)),
      registry_(std::move(registry)),
      reload_(std::move(reload)) {}

void PatchAdmin::list(ApiCall& call, const std::string& name, bool has_admin_key) const {
  const std::shared_ptr<const PatchTable> table = patches_.table();
  const ApiKey* key = call.caller().key;
  Json data = Json::array();
  for (const auto& patch : table->patches) {
    const std::string& its_name = patch->manifest.name;
    if (!name.empty() && its_name != name) continue;
    if (key != nullptr && !key->may_run(its_name)) continue;
    data.push_back(patch_json(*patch, model_));
  }
  if (!name.empty() && data.empty()) {
    return call.fail({404, "patch: found none of that name", "patch_not_found", ""});
  }
  const auto shown_stack = [&](const Result<ResolvedStack>& stack) {
    if (!may_see(key, stack)) return Json{{"error", "this key may not run it"}};
    return stack.ok() ? stack->json() : Json{{"error", stack.error().message}};
  };
  Json stacks = Json::object();
  for (const auto& [its_name, named] : table->stacks) {
    ModelId id;
    id.patches = {its_name};
    if (table->has_name(its_name)) continue;  // the patch's now
    const Result<ResolvedStack> stack = table->resolve({}, id);
    if (may_see(key, stack)) stacks[its_name] = shown_stack(stack);
  }
  call.respond(200, {{"object", "list"},
                     {"allow_unpatched", call.caller().may_run_unpatched(table->allow_unpatched)},
                     {"admin", has_admin_key},
                     {"default", shown_stack(table->default_stack())},
                     {"stacks", std::move(stacks)},
                     {"data", std::move(data)}});
}

Result<Store> PatchAdmin::open_store(const ApiCall& call, bool create) const {
  StoreOptions options;
  options.create = create;
  options.who = "serve: " + call.caller().name() + "@" + call.request().peer;
  return Store::open(patches_.sources()->store, options);
}

void PatchAdmin::history(ApiCall& call, const std::string& name) const {
  const ApiKey* key = call.caller().key;
  if (!is_patch_name(name) || (key != nullptr && !key->may_run(name))) {
    return call.fail({404, "patch: found none of that name", "patch_not_found", ""});
  }
  const auto read = [&]() -> Result<std::vector<HistoryEntry>> {
    LLMPATCH_ASSIGN(Store store, open_store(call, false));
    return store.history(name);
  };
  const Result<std::vector<HistoryEntry>> entries = read();
  if (!entries.ok()) return call.fail(general_error(entries.error()));
  Json data = Json::array();
  for (const HistoryEntry& entry : *entries) {
    // What was refused before its name was known may have been another key's.
    if (entry.name == name || key == nullptr) data.push_back(history_json(entry));
  }
  if (data.empty()) {
    return call.fail({404, "patch: found none of that name", "patch_not_found", ""});
  }
  call.respond(200, {{"object", "list"}, {"data", std::move(data)}});
}

void PatchAdmin::change(ApiCall& call, const char* operation, bool create,
                        const std::function<Result<Change>(Store&)>& step) {
  const std::lock_guard lock(changing_);
  call.audit();
  call.note("operation", operation);
  const auto run = [&]() -> Result<Change> {
    LLMPATCH_ASSIGN(Store store, open_store(call, create));
    return step(store);
  };
  const Result<Change> changed = run();
  if (!changed.ok()) return call.fail(general_error(changed.error()));
  call.note("patch", changed->patch.name + "@" + changed->patch.version);
  if (const Status reloaded = reload_(); !reloaded.ok()) {
    ApiError error = general_error(reloaded.error());
    error.message = "the store was changed, but could not be read anew: " + error.message;
    return call.fail(error);
  }
  call.respond(200, {{"object", "patch.change"},
                     {"changed", changed->changed},
                     {"warnings", changed->warnings},
                     {"patch", installed_json(changed->patch)}});
}

void PatchAdmin::install(ApiCall& call) {
  const Result<ChangeRequest> request = parse_change(call, kInstalls | kMayExpire);
  if (!request.ok()) return call.fail(field_error(request.error()));
  change(call, "install", true, [&](Store& store) -> Result<Change> {
    InstallOptions options;
    LLMPATCH_ASSIGN(options.trust, patches_.sources()->trust());
    options.allow_unsigned = patches_.sources()->allow_unsigned;
    options.activate = request->activate;
    options.allow_expired = request->allow_expired;
    options.allow_downgrade = request->allow_downgrade;
    options.downgrade_reason = "allow_downgrade";
    if (!request->source.starts_with("oci://")) return store.install(request->source, options);
    LLMPATCH_ASSIGN(const OciReference reference, parse_oci_reference(request->source));
    return store.install(
        reference.to_string(),
        [&]() -> Result<PatchFiles> {
          LLMPATCH_ASSIGN(Registry registry, Registry::open(reference.host, reference.repository,
                                                            RegistryAccess::kPull, registry_));
          LLMPATCH_ASSIGN(Pulled pulled, pull_patch(reference, registry, {}));
          return std::move(pulled.files);
        },
        options);
  });
}

void PatchAdmin::activate(ApiCall& call, const std::string& name) {
  const Result<ChangeRequest> request = parse_change(call, kHasVersion | kMayExpire);
  if (!request.ok()) return call.fail(field_error(request.error()));
  change(call, "activate", false, [&](Store& store) -> Result<Change> {
    const std::string version = request->version.empty() ? "" : "@" + request->version;
    LLMPATCH_ASSIGN(const Reference reference, parse_reference(name + version));
    return store.activate(reference, request->allow_expired);
  });
}

void PatchAdmin::deactivate(ApiCall& call, const std::string& name) {
  const Result<ChangeRequest> request = parse_change(call, 0);
  if (!request.ok()) return call.fail(field_error(request.error()));
  change(call, "deactivate", false, [&](Store& store) -> Result<Change> {
    LLMPATCH_ASSIGN(const std::string bare, parse_bare_name(name));
    return store.deactivate(bare);
  });
}

void PatchAdmin::rollback(ApiCall& call, const std::string& name) {
  const Result<ChangeRequest> request = parse_change(call, kHasVersion);
  if (!request.ok()) return call.fail(field_error(request.error()));
  change(call, "rollback", false, [&](Store& store) -> Result<Change> {
    LLMPATCH_ASSIGN(const std::string bare, parse_bare_name(name));
    return store.rollback(bare, request->version);
  });
}

void PatchAdmin::remove(ApiCall& call, const std::string& name, const std::string& version) {
  if (!call.request().body.empty()) {
    return call.fail({400, "body: found one, expected none", "invalid_value", ""});
  }
  change(call, "remove", false, [&](Store& store) -> Result<Change> {
    LLMPATCH_ASSIGN(const Reference reference, parse_reference(name + "@" + version));
    return store.remove(reference);
  });
}

}  // namespace llmpatch
