#include "distribution/registry.h"

#include <algorithm>

#include "base/json.h"
#include "base/quote.h"
#include "distribution/oci_manifest.h"
#include "http/url.h"

namespace llmpatch {
namespace {

constexpr std::size_t kMaxTags = 10'000;
constexpr int kMaxPages = 100;
constexpr int kMaxUploads = 4;     // of one blob
constexpr int kMaxChallenges = 2;  // of one request; the second for a token that ran out meanwhile

Error refused(const HttpAnswer& answer, const std::string& what) {
  std::string message = what + ": found status " + std::to_string(answer.status);
  // {"errors": [{"code", "message", "detail"}]}, where the registry says more.
  const auto json = parse_json(answer.body, what);
  if (json.ok() && json->is_object() && json->contains("errors") && (*json)["errors"].is_array() &&
      !(*json)["errors"].empty()) {
    const Json& first = (*json)["errors"][0];
    for (const char* key : {"code", "message"}) {
      const auto text = json_string(first, key, what);
      if (text.ok()) message += " " + quote(*text, 200);
    }
  }
  const bool denied = answer.status == 401 || answer.status == 403;
  const ErrorKind kind = denied                 ? ErrorKind::kDenied
                         : answer.status == 404 ? ErrorKind::kNotFound
                         : answer.status == 429 ? ErrorKind::kLimit
                                                : ErrorKind::kIo;
  return make_error(kind, "registry", message);
}

// A mistake of the registry's.
Error broken(const std::string& what, const std::string& message) {
  return make_error(ErrorKind::kIo, "registry", what + ": " + message);
}

Error untrusted(const std::string& what, const std::string& found, const std::string& expected) {
  return make_error(ErrorKind::kUntrusted, "registry",
                    what + ": found the digest " + found + ", expected " + expected);
}

// The next page of a list: <url>; rel="next".
std::string next_page(const std::string& link) {
  const std::size_t open = link.find('<'), close = link.find('>');
  if (open == std::string::npos || close == std::string::npos || close < open ||
      link.find("rel=\"next\"", close) == std::string::npos) {
    return "";
  }
  return link.substr(open + 1, close - open - 1);
}

}  // namespace

Registry::Registry(std::string host, std::string repository, const char* scheme, HttpClient client,
                   RegistryAuth auth)
    : base_(std::string(scheme) + "://" + host + "/v2/" + repository + "/"),
      client_(std::move(client)),
      auth_(std::move(auth)) {}

Result<Registry> Registry::open(const std::string& host, const std::string& repository,
                                RegistryAccess access, const RegistryOptions& options) {
  // Docker Hub's registry is not where its name says.
  const bool hub = host == "docker.io" || host == "index.docker.io";
  const std::string server = hub ? "registry-1.docker.io" : host;
  LLMPATCH_ASSIGN(auto credentials, find_credentials(options.docker_config, server));
  LLMPATCH_ASSIGN(HttpClient client, HttpClient::create(options.http));
  const std::string scope =
      "repository:" + repository + (access == RegistryAccess::kPush ? ":pull,push" : ":pull");
  Registry registry(server, repository, options.http.plain_http ? "http" : "https",
                    std::move(client), RegistryAuth(scope, std::move(credentials)));
  LLMPATCH_ASSIGN(registry.origin_, parse_url(registry.base_));
  return registry;
}

std::string Registry::url(std::string_view rest) const { return base_ + std::string(rest); }

bool Registry::is_own(const std::string& address) const {
  const auto parsed = parse_url(address);
  return parsed.ok() && same_origin(*parsed, origin_);
}

// Credentials are shown to the registry itself alone, and only it can ask for them: not a host that
// it redirects to.
Result<HttpAnswer> Registry::send(HttpRequest request) {
  for (int challenges = 0;; ++challenges) {
    request.authorization = is_own(request.url) ? auth_.header() : "";
    LLMPATCH_ASSIGN(HttpAnswer answer, client_.send(request));
    if (answer.status != 401 || challenges >= kMaxChallenges || !is_own(answer.url)) return answer;
    LLMPATCH_TRY(auth_.answer(client_, answer));
  }
}

Result<std::optional<OciManifest>> Registry::find_manifest(const std::string& wanted) {
  HttpRequest request;
  request.url = url("manifests/" + wanted);
  // Without it registries answer that there is none, or give something older.
  // Docker's own are asked for to learn that something else is there.
  request.headers = {std::string("Accept: ") + kOciManifestType + ", " + kOciIndexType +
                     ", application/vnd.docker.distribution.manifest.v2+json"
                     ", application/vnd.docker.distribution.manifest.list.v2+json"};
  request.max_answer = kMaxOciManifest;
  LLMPATCH_ASSIGN(const HttpAnswer answer, send(request));
  if (answer.status == 404) return std::optional<OciManifest>();
  if (answer.status != 200) return refused(answer, request.url);
  OciManifest manifest{answer.body, oci_digest(answer.body)};
  const std::string said = answer.header("docker-content-digest");
  for (const std::string& expected : {is_oci_digest(wanted) ? wanted : said, said}) {
    if (!expected.empty() && expected != manifest.digest) {
      return untrusted(request.url, manifest.digest, quote(expected, 80));
    }
  }
  return std::optional<OciManifest>(std::move(manifest));
}

Result<bool> Registry::put_manifest(const std::string& wanted, const std::string& bytes,
                                    const std::string& media_type) {
  HttpRequest request;
  request.method = "PUT";
  request.url = url("manifests/" + wanted);
  request.headers = {"Content-Type: " + media_type};
  request.body = bytes;
  LLMPATCH_ASSIGN(const HttpAnswer answer, send(request));
  if (answer.status != 201) return refused(answer, request.url);
  return !answer.header("oci-subject").empty();
}

Result<std::string> Registry::get_blob(const std::string& digest, std::uint64_t size,
                                       const ProgressFn& progress) {
  HttpRequest request;
  request.url = url("blobs/" + digest);
  request.max_answer = size;
  request.resume = true;
  request.progress = progress;
  LLMPATCH_ASSIGN(HttpAnswer answer, send(request));
  if (answer.status != 200) return refused(answer, request.url);
  const std::string found = oci_digest(answer.body);
  if (answer.body.size() != size || found != digest) return untrusted(request.url, found, digest);
  return std::move(answer.body);
}

Status Registry::put_blob(const std::string& digest, std::string_view bytes) {
  const std::string blob = url("blobs/" + digest);
  // What broke off cannot be sent to the same place again; and the first question tells whether it
  // arrived after all.
  for (int attempt = 1;; ++attempt) {
    HttpRequest look;
    look.method = "HEAD";
    look.url = blob;
    LLMPATCH_ASSIGN(const HttpAnswer there, send(look));
    if (there.status == 200) return {};
    if (there.status != 404) return refused(there, blob);

    HttpRequest upload;
    upload.method = "PUT";
    LLMPATCH_ASSIGN(upload.url, begin_upload(blob));
    LLMPATCH_ASSIGN(upload.url, add_query(upload.url, "digest", digest));
    upload.headers = {"Content-Type: application/octet-stream"};
    upload.body = bytes;
    upload.attempts = 1;
    const auto done = send(upload);
    if (done.ok() && done->status == 201) return {};
    const bool for_good =
        done.ok() ? done->status < 500 && done->status != 429 && done->status != 404
                  : done.error().kind != ErrorKind::kIo && done.error().kind != ErrorKind::kLimit;
    if (attempt == kMaxUploads || for_good) {
      return done.ok() ? refused(*done, "upload of " + blob) : done.error();
    }
  }
}

Result<std::string> Registry::begin_upload(const std::string& blob) {
  HttpRequest begin;
  begin.method = "POST";
  begin.url = url("blobs/uploads/");
  begin.headers = {"Content-Type: application/octet-stream"};
  LLMPATCH_ASSIGN(const HttpAnswer begun, send(begin));
  if (begun.status != 202) return refused(begun, begin.url);
  const std::string location = begun.header("location");
  const auto place = resolve_url(begin.url, location);
  if (location.empty() || !place.ok()) {
    return broken(begin.url, "found the Location " + quote(location, 200) +
                                 ", expected where to upload " + blob);
  }
  if (!is_own(*place)) {
    return make_error(ErrorKind::kDenied, "registry",
                      begin.url + ": found an upload to another host, expected the registry's own");
  }
  return *place;
}

Result<std::vector<std::string>> Registry::tags() {
  const std::string list = url("tags/list");
  std::vector<std::string> tags;
  std::string page = list + "?n=1000";
  for (int pages = 1;; ++pages) {
    HttpRequest request;
    request.url = page;
    request.max_answer = kMaxOciManifest;
    LLMPATCH_ASSIGN(const HttpAnswer answer, send(request));
    if (answer.status != 200) return refused(answer, list);
    LLMPATCH_ASSIGN(const Json json, parse_json(answer.body, list));
    if (json.is_object() && json.contains("tags") && json["tags"].is_null()) return tags;  // none
    LLMPATCH_ASSIGN(const Json names, json_array(json, "tags", list));
    for (const Json& name : names) {
      if (!name.is_string() || !is_oci_tag(name.get<std::string>())) {
        return make_error(ErrorKind::kCorrupt, "registry",
                          list + ": found something that is no tag");
      }
      tags.push_back(name.get<std::string>());
    }
    const std::string next = next_page(answer.header("link"));
    if (next.empty() || names.empty()) return tags;  // an empty page would never end
    if (tags.size() > kMaxTags || pages == kMaxPages) {
      return make_error(ErrorKind::kLimit, "registry",
                        list + ": found more than 10,000 tags or 100 pages");
    }
    const auto place = resolve_url(answer.url, next);
    if (!place.ok() || !is_own(*place)) {
      return broken(
          list, "found the next page at " + quote(next, 200) + ", expected one at the same host");
    }
    page = *place;
  }
}

}  // namespace llmpatch
