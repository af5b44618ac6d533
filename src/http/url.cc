#include "http/url.h"

#include <curl/curl.h>

#include <algorithm>
#include <memory>

#include "base/ascii.h"
#include "base/quote.h"

namespace llmpatch {
namespace {

struct CloseUrl {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using Handle = std::unique_ptr<CURLU, CloseUrl>;

Error no_url(std::string_view text) {
  return make_error(ErrorKind::kInvalidArgument, "http",
                    "address: found " + quote(text, 200) +
                        ", expected an http or https URL without user and password");
}

// Set to `text`, or null.
Handle parsed(std::string_view text) {
  Handle url(curl_url());
  if (!url || curl_url_set(url.get(), CURLUPART_URL, std::string(text).c_str(), 0) != CURLUE_OK) {
    return nullptr;
  }
  return url;
}

std::string part(const Handle& url, CURLUPart which, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url.get(), which, &text, flags) != CURLUE_OK) return "";
  std::string copy = text;
  curl_free(text);
  return copy;
}

}  // namespace

Result<Url> parse_url(std::string_view text) {
  const Handle handle = parsed(text);
  if (!handle) return no_url(text);
  Url url{ascii_lower(part(handle, CURLUPART_SCHEME)), ascii_lower(part(handle, CURLUPART_HOST)),
          part(handle, CURLUPART_PORT, CURLU_DEFAULT_PORT)};
  const bool bare =
      part(handle, CURLUPART_USER).empty() && part(handle, CURLUPART_PASSWORD).empty();
  if ((url.scheme != "http" && url.scheme != "https") || url.host.empty() || !bare) {
    return no_url(text);
  }
  return url;
}

Result<std::string> resolve_url(std::string_view base, std::string_view text) {
  const Handle handle = parsed(base);
  // Setting a relative address on top of a whole one resolves it (RFC 3986, section 5).
  if (!handle ||
      curl_url_set(handle.get(), CURLUPART_URL, std::string(text).c_str(), 0) != CURLUE_OK) {
    return no_url(text);
  }
  const std::string whole = part(handle, CURLUPART_URL);
  LLMPATCH_TRY(parse_url(whole));
  return whole;
}

Result<std::string> add_query(std::string_view url, std::string_view name, std::string_view value) {
  const Handle handle = parsed(url);
  const std::string pair = std::string(name) + "=" + std::string(value);
  if (!handle || curl_url_set(handle.get(), CURLUPART_QUERY, pair.c_str(),
                              CURLU_APPENDQUERY | CURLU_URLENCODE) != CURLUE_OK) {
    return no_url(url);
  }
  return part(handle, CURLUPART_URL);
}

bool same_origin(const Url& one, const Url& other) {
  return one.scheme == other.scheme && one.host == other.host && one.port == other.port;
}

bool is_this_machine(const Url& url) {
  if (url.host == "localhost" || url.host == "[::1]") return true;
  if (!url.host.starts_with("127.")) return false;
  return std::all_of(url.host.begin(), url.host.end(),
                     [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
}

}  // namespace llmpatch
