#include "distribution/registry.h"

#include <algorithm>

#include "base/json.h"
#include "base/sha256.h"
#include "distribution/oci_manifest.h"
#include "http/url.h"

namespace llmpatch {
namespace {

constexpr std::size_t kMaxTags = 10'000;
constexpr int kMaxChallenges = 2;  // of one request; the second for a token that ran out meanwhile

Error refused(const HttpAnswer& answer, const std::string& what) {
  std::string message = what + ": found status " + std::to_string(answer.status);
  // {"errors": [{"code", "message", "detail"}]}, where the registry says more.
  const Json json = Json::parse(answer.body, nullptr, /*allow_exceptions=*/false);
  if (json.is_object() && json.contains("errors") && json["errors"].is_array() &&
      !json["errors"].empty() && json["errors"][0].is_object()) {
    const Json& first = json["errors"][0];
    for (const char* key : {"code", "message"}) {
      if (first.contains(key) && first[key].is_string()) {
        message +=
            std::string(key[0] == 'c' ? " " : ": ") + first[key].get<std::string>().substr(0, 200);
      }
    }
  }
  const bool denied = answer.status == 401 || answer.status == 403;
  const ErrorKind kind = denied                 ? ErrorKind::kDenied
                         : answer.status == 404 ? ErrorKind::kNotFound
                         : answer.status == 429 ? ErrorKind::kLimit
                                                : ErrorKind::kIo;
  return make_error(kind, "registry", message);
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
  LLMPATCH_ASSIGN(auto credentials, find_credentials(options.docker_config, host));
  LLMPATCH_ASSIGN(HttpClient client, HttpClient::create(options.http));
  const std::string scope =
      "repository:" + repository + (access == RegistryAccess::kPush ? ":pull,push" : ":pull");
  return Registry(host, repository, options.http.plain_http ? "http" : "https", std::move(client),
                  RegistryAuth(scope, std::move(credentials)));
}

std::string Registry::url(std::string_view rest) const { return base_ + std::string(rest); }

Result<HttpAnswer> Registry::send(HttpRequest request) {
  for (int challenges = 0;; ++challenges) {
    request.authorization = auth_.header();
    LLMPATCH_ASSIGN(HttpAnswer answer, client_.send(request));
    if (answer.status != 401 || challenges >= kMaxChallenges) return answer;
    LLMPATCH_TRY(auth_.answer(client_, answer));
  }
}

Result<std::optional<OciManifest>> Registry::find_manifest(const std::string& wanted) {
  HttpRequest request;
  request.url = url("manifests/" + wanted);
  // Without it registries answer that there is none, or give something older.
  request.headers = {std::string("Accept: ") + kOciManifestType + ", " + kOciIndexType};
  request.max_answer = kMaxOciManifest;
  LLMPATCH_ASSIGN(const HttpAnswer answer, send(request));
  if (answer.status == 404) return std::optional<OciManifest>();
  if (answer.status != 200) return refused(answer, request.url);
  OciManifest manifest{answer.body, "sha256:" + sha256_hex(answer.body),
                       answer.header("content-type")};
  const std::string said = answer.header("docker-content-digest");
  for (const std::string& expected : {is_oci_digest(wanted) ? wanted : said, said}) {
    if (!expected.empty() && expected != manifest.digest) {
      return untrusted(request.url, manifest.digest, expected.substr(0, 80));
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
  const std::string found = "sha256:" + sha256_hex(answer.body);
  if (answer.body.size() != size || found != digest) return untrusted(request.url, found, digest);
  return std::move(answer.body);
}

Status Registry::put_blob(const std::string& digest, std::string_view bytes) {
  HttpRequest look;
  look.method = "HEAD";
  look.url = url("blobs/" + digest);
  LLMPATCH_ASSIGN(const HttpAnswer there, send(look));
  if (there.status == 200) return {};
  if (there.status != 404) return refused(there, look.url);

  HttpRequest begin;
  begin.method = "POST";
  begin.url = url("blobs/uploads/");
  begin.headers = {"Content-Type: application/octet-stream"};
  LLMPATCH_ASSIGN(const HttpAnswer begun, send(begin));
  if (begun.status != 202) return refused(begun, begin.url);
  const std::string location = begun.header("location");
  if (location.empty()) return refused(begun, begin.url + " without a Location");

  HttpRequest upload;
  upload.method = "PUT";
  LLMPATCH_ASSIGN(upload.url, resolve_url(begun.url, location));
  LLMPATCH_ASSIGN(const Url place, parse_url(upload.url));
  LLMPATCH_ASSIGN(const Url home, parse_url(begun.url));
  if (place.host != home.host || place.port != home.port || place.scheme != home.scheme) {
    return make_error(ErrorKind::kDenied, "registry",
                      begin.url + ": found an upload to another host (" + place.host +
                          "), expected the registry's own");
  }
  LLMPATCH_ASSIGN(upload.url, add_query(upload.url, "digest", digest));
  upload.headers = {"Content-Type: application/octet-stream"};
  upload.body = bytes;
  LLMPATCH_ASSIGN(const HttpAnswer done, send(upload));
  return done.status == 201 ? Status() : refused(done, upload.url);
}

Result<std::vector<std::string>> Registry::tags() {
  std::vector<std::string> tags;
  std::string page = url("tags/list?n=1000");
  while (!page.empty()) {
    HttpRequest request;
    request.url = page;
    request.max_answer = kMaxOciManifest;
    LLMPATCH_ASSIGN(const HttpAnswer answer, send(request));
    if (answer.status != 200) return refused(answer, request.url);
    LLMPATCH_ASSIGN(const Json json, parse_json(answer.body, request.url));
    if (json.is_object() && json.contains("tags") && json["tags"].is_null()) break;  // none
    LLMPATCH_ASSIGN(const Json names, json_array(json, "tags", request.url));
    for (const Json& name : names) {
      if (name.is_string()) tags.push_back(name.get<std::string>());
    }
    if (tags.size() > kMaxTags) {
      return make_error(ErrorKind::kLimit, "registry",
                        request.url + ": found more than 10,000 tags");
    }
    const std::string next = next_page(answer.header("link"));
    if (next.empty() || names.empty()) break;  // an empty page would never end
    LLMPATCH_ASSIGN(page, resolve_url(answer.url, next));
    LLMPATCH_ASSIGN(const Url there, parse_url(page));
    LLMPATCH_ASSIGN(const Url here, parse_url(base_));
    if (there.host != here.host || there.port != here.port) {
      return make_error(ErrorKind::kDenied, "registry",
                        request.url + ": found a next page at another host");
    }
  }
  return tags;
}

}  // namespace llmpatch
