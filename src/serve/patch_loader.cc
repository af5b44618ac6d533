#include "serve/patch_loader.h"

#include <algorithm>
#include <set>

#include "base/sha256.h"
#include "distribution/load_path.h"
#include "patch/stack.h"

namespace llmpatch {
namespace {

// One load. Its members are what all steps need.
class Loader {
 public:
  Loader(const PatchSources& sources, ServingEngine& engine, const PatchTable* before)
      : sources_(sources), engine_(engine), before_(before) {}

  Result<std::shared_ptr<const PatchTable>> load() {
    table_->compose = sources_.compose;
    table_->stacks = sources_.stacks;
    table_->allow_unpatched = sources_.allow_unpatched;
    LLMPATCH_ASSIGN(trust_, sources_.trust());
    Result<Store> store = Store::open(sources_.store);
    if (store.ok()) {
      store_.emplace(std::move(*store));
    } else if (store.error().kind != ErrorKind::kNotFound ||
               (before_ != nullptr && before_->has_store)) {
      // One that was there is out of sight, not empty: what was active and revoked in it still is.
      return std::move(store).error();
    }
    table_->has_store = store_.has_value();
    LLMPATCH_TRY(load_files());
    if (store_) LLMPATCH_TRY(load_stored());
    LLMPATCH_TRY(choose_defaults());
    return std::shared_ptr<const PatchTable>(std::move(table_));
  }

 private:
  using Entry = std::shared_ptr<ServedPatch>;

  Status load_files() {
    for (const std::string& path : sources_.patches) {
      if (!sources_.is_path(path)) continue;
      Result<TrustedPatch> loaded =
          load_patch_path(path, store_ ? &*store_ : nullptr, trust_, sources_.allow_unsigned);
      if (!loaded.ok()) {
        // Which patch it was, the table before knows.
        const ServedPatch* known = find_before(path);
        if (known == nullptr) return std::move(loaded).error();
        auto entry = std::make_shared<ServedPatch>();
        entry->manifest = known->manifest;
        entry->path = path;
        entry->error = std::move(loaded).error();
        add(std::move(entry));
        continue;
      }
      auto entry = std::make_shared<ServedPatch>();
      entry->path = path;
      LLMPATCH_TRY(fill(*entry, std::move(*loaded)));
      add(std::move(entry));
    }
    return {};
  }

  Status load_stored() {
    LLMPATCH_ASSIGN(const std::vector<InstalledPatch> installed, store_->list());
    std::set<std::string> names, active;
    for (const InstalledPatch& patch : installed) {
      names.insert(patch.name);
      if (patch.active) active.insert(patch.name);
      auto entry = std::make_shared<ServedPatch>();
      entry->source = ServedPatch::Source::kStore;
      entry->is_current = patch.active;
      LLMPATCH_TRY(load_one(*entry, patch));
      table_->patches.push_back(std::move(entry));
    }
    // A name without an active version: nobody made one active, or it was revoked.
    for (const std::string& name : names) {
      if (active.contains(name)) continue;
      LLMPATCH_ASSIGN(const std::string reason, store_->unpatched_reason(name));
      if (!reason.empty()) {
        table_->without.emplace(name, reason);
        continue;
      }
      Result<StoredContents> none = store_->read({name, "", ""});
      if (!none.ok() && none.error().kind == ErrorKind::kDenied) {
        table_->blocked.emplace(name, std::move(none).error());
      }
    }
    return {};
  }

  Status load_one(ServedPatch& entry, const InstalledPatch& patch) {
    entry.manifest.name = patch.name;
    entry.manifest.version = patch.version;
    entry.manifest.sequence = patch.sequence;
    entry.manifest.expires = patch.expires;
    entry.manifest.risk = patch.risk;
    entry.manifest.summary = patch.summary;
    Result<StoredPatch> stored =
        store_->load({patch.name, patch.version, ""}, trust_, sources_.allow_unsigned);
    if (!stored.ok()) {
      // Somebody was quicker, or the store as a whole is out of reach.
      const ErrorKind kind = stored.error().kind;
      if (kind == ErrorKind::kLimit || kind == ErrorKind::kIo) return std::move(stored).error();
      entry.error = std::move(stored).error();
      entry.digest = patch.digest;
      return {};
    }
    if (!stored->expired.empty() && patch.active) entry.warnings.push_back(stored->expired);
    LLMPATCH_TRY(fill(entry, std::move(stored->loaded)));
    entry.digest = patch.digest;
    return {};
  }

  // What a loaded patch says, its place in the engine, and whether it may run on the model.
  Status fill(ServedPatch& entry, TrustedPatch loaded) {
    entry.manifest = std::move(loaded.patch.manifest);
    entry.digest = std::move(loaded.root_digest);
    entry.signer = std::move(loaded.signer);
    if (loaded.patch.card) entry.card = card_effects(*loaded.patch.card);
    if (!loaded.warning.empty()) entry.warnings.push_back(std::move(loaded.warning));
    entry.contents = sha256_hex(manifest_to_json(entry.manifest));
    if (const ServedPatch* same = find_same(entry.contents)) {
      entry.prefix = same->prefix;
      entry.admission = same->admission;
    } else {
      LLMPATCH_TRY(open_model());
      Result<Admission> admitted = admit_base(entry.manifest, *model_, sources_.admission);
      if (!admitted.ok()) {
        entry.error = std::move(admitted).error();
        return {};
      }
      entry.admission = std::move(admitted->warning);
      entry.prefix = std::make_shared<Prefix>(engine_, std::move(loaded.patch.rows));
    }
    if (!entry.admission.empty()) entry.warnings.push_back(entry.admission);
    return {};
  }

  // Reads the model's file once, and not where every patch is known.
  Status open_model() {
    if (!model_) {
      LLMPATCH_ASSIGN(GgufFile file, GgufFile::open(sources_.model));
      model_.emplace(std::move(file));
    }
    return {};
  }

  // A patch that was given by its path is what its name stands for.
  void add(Entry entry) {
    entry->is_current = true;
    table_->patches.push_back(std::move(entry));
  }

  const ServedPatch* find_before(const std::string& path) const {
    return find(before_, [&](const ServedPatch& patch) { return patch.path == path; });
  }

  const ServedPatch* find_same(const std::string& contents) const {
    const auto is_same = [&](const ServedPatch& patch) {
      return patch.prefix != nullptr && patch.contents == contents;
    };
    const ServedPatch* found = find(table_.get(), is_same);
    return found != nullptr ? found : find(before_, is_same);
  }

  template <class Is>
  static const ServedPatch* find(const PatchTable* table, const Is& is) {
    if (table == nullptr) return nullptr;
    for (const auto& patch : table->patches) {
      if (is(*patch)) return patch.get();
    }
    return nullptr;
  }

  // The stack of requests that name none, in the order of --patch; else all that is active.
  Status choose_defaults() {
    std::size_t files = 0;  // they stand first in the table, in this order
    for (const std::string& given : sources_.patches) {
      if (sources_.is_path(given)) {
        const Manifest& manifest = table_->patches.at(files++)->manifest;
        table_->defaults.push_back({manifest.name, manifest.version, false});
        continue;
      }
      LLMPATCH_ASSIGN(const Reference reference, parse_reference(given));
      if (!store_) {
        return make_error(ErrorKind::kNotFound, "serve",
                          "--patch " + given + ": found no store " + sources_.store.string());
      }
      LLMPATCH_TRY(add_default(reference));
    }
    if (!sources_.patches.empty()) return {};
    std::set<std::string> names;
    for (const auto& patch : table_->patches) {
      if (patch->is_current) names.insert(patch->manifest.name);
    }
    for (const auto& [name, error] : table_->blocked) names.insert(name);
    for (const auto& [name, reason] : table_->without) names.insert(name);
    for (const std::string& name : names) table_->defaults.push_back({name, "", false});
    return {};
  }

  Status add_default(const Reference& reference) {
    if (!reference.names_one()) {
      table_->defaults.push_back({reference.name, "", false});
      return {};
    }
    for (const auto& patch : table_->patches) {
      const bool is_meant = patch->source == ServedPatch::Source::kStore &&
                            patch->manifest.name == reference.name &&
                            (reference.digest.empty() ? patch->manifest.version == reference.version
                                                      : patch->digest == reference.digest);
      if (!is_meant) continue;
      table_->defaults.push_back({reference.name, patch->manifest.version, false});
      return {};
    }
    return make_error(ErrorKind::kNotFound, "serve",
                      "--patch " + reference.to_string() + ": found no such patch in the store " +
                          sources_.store.string(),
                      "llmpatch list shows what there is");
  }

  const PatchSources& sources_;
  ServingEngine& engine_;
  const PatchTable* before_;
  Trust trust_;
  std::optional<Store> store_;
  std::optional<GgufFile> model_;
  std::shared_ptr<PatchTable> table_ = std::make_shared<PatchTable>();
};

}  // namespace

Result<std::shared_ptr<const PatchTable>> load_patches(const PatchSources& sources,
                                                       ServingEngine& engine,
                                                       const PatchTable* before) {
  return Loader(sources, engine, before).load();
}

}  // namespace llmpatch
