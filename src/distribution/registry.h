// One repository of an OCI registry (distribution-spec v1.1).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "distribution/oci_reference.h"
#include "distribution/registry_auth.h"
#include "http/client.h"
#include "http/url.h"

namespace llmpatch {

struct RegistryOptions {
  HttpOptions http;
  std::filesystem::path docker_config;  // empty: none, anonymous
};

enum class RegistryAccess { kPull, kPush };

struct OciManifest {
  std::string bytes, digest;
};

// What is read is compared with its digest before it is given out. Besides what each function
// names, all of them fail as HttpClient::send does, with kDenied where the registry lets one not do
// it, with kIo for an answer that the specification does not know and kCorrupt for one that is not
// what it should be. Credentials go to the registry's own origin alone. Not thread-safe.
class Registry {
 public:
  // Errors of find_credentials.
  static Result<Registry> open(const std::string& host, const std::string& repository,
                               RegistryAccess access, const RegistryOptions& options);

  // By tag or digest. Nothing when there is none. kUntrusted: other bytes than the digest that was
  // asked for, or than the registry says they are; kLimit: more than 4 MiB.
  Result<std::optional<OciManifest>> find_manifest(const std::string& wanted);
  // `wanted` is a tag or the digest of `bytes`. True when the registry said that it keeps the
  // manifest as a referrer of its subject.
  Result<bool> put_manifest(const std::string& wanted, const std::string& bytes,
                            const std::string& media_type);

  // kNotFound; kUntrusted: another digest or size; kLimit: more bytes than `size`.
  Result<std::string> get_blob(const std::string& digest, std::uint64_t size,
                               const ProgressFn& progress);
  // Uploads what is not there yet.
  Status put_blob(const std::string& digest, std::string_view bytes);

  // All tags, in the registry's order, at most 10,000 (kLimit). kNotFound: no such repository.
  Result<std::vector<std::string>> tags();

 private:
  Registry(std::string host, std::string repository, const char* scheme, HttpClient client,
           RegistryAuth auth);
  Result<HttpAnswer> send(HttpRequest request);
  std::string url(std::string_view rest) const;
  bool is_own(const std::string& address) const;
  // Where the registry wants a blob to be uploaded.
  Result<std::string> begin_upload(const std::string& blob);

  std::string base_;  // https://host/v2/repository/
  Url origin_;        // of it
  HttpClient client_;
  RegistryAuth auth_;
};

}  // namespace llmpatch
