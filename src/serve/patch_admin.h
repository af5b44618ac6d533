// The endpoints that show patches and change the store. Internal to serve/.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "distribution/registry.h"
#include "distribution/store.h"
#include "serve/call.h"
#include "serve/patches.h"

namespace llmpatch {

// Thread-safe; changes of the store come one at a time, since each reads the patches anew. All but
// list() block.
class PatchAdmin {
 public:
  // `reload` reads the patches anew, after a change. Everything must outlive it.
  PatchAdmin(Patches& patches, std::string model, RegistryOptions registry,
             std::function<Status()> reload);

  // Each answers the call. `name` as a client wrote it.
  void list(ApiCall& call, const std::string& name, bool has_admin_key) const;
  void history(ApiCall& call, const std::string& name) const;
  void install(ApiCall& call);
  void activate(ApiCall& call, const std::string& name);
  void deactivate(ApiCall& call, const std::string& name);
  void rollback(ApiCall& call, const std::string& name);
  void remove(ApiCall& call, const std::string& name, const std::string& version);

 private:
  Result<Store> open_store(const ApiCall& call, bool create) const;
  void change(ApiCall& call, const char* operation, bool create,
              const std::function<Result<Change>(Store&)>& step);

  Patches& patches_;
  const std::string model_;
  const RegistryOptions registry_;
  const std::function<Status()> reload_;
  std::mutex changing_;
};

}  // namespace llmpatch
