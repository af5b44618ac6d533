// The HTTP client (libcurl): bounded answers, TLS that is checked, retries with backoff. Whatever
// talks to the network goes through it.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/cancel.h"
#include "base/progress.h"
#include "base/result.h"

namespace llmpatch {

struct HttpOptions {
  std::filesystem::path certificates;  // PEM file of roots to trust; empty: the system's
  // http:// is spoken to this machine (localhost, 127.0.0.0/8, [::1]) only, and only if asked for.
  bool plain_http = false;
  int attempts = 4;                                // of one request, the first included
  std::chrono::milliseconds first_wait{500};       // before the second attempt; doubles
  std::chrono::milliseconds longest_wait{30'000};  // that a Retry-After is obeyed for
  std::chrono::seconds connect_limit{20};
  // A transfer below `slowest` bytes a second for so long is given up, and one that takes longer
  // than so long and all of `max_answer` and the body would at 16 times that speed. All attempts
  // together take no longer than so long each, and that once.
  std::chrono::seconds slow_limit{30};
  std::uint64_t slowest = 4096;
  const CancelFlag* cancel = nullptr;
  std::string agent = "llmpatch";
};

struct HttpRequest {
  std::string method = "GET";        // GET, HEAD, POST or PUT
  std::string url;                   // http or https, absolute
  std::vector<std::string> headers;  // "Name: value"
  std::string authorization;         // of that header; not sent along a redirect to another origin
  std::string_view body;             // of POST and PUT; must outlive the call
  // Bytes; a longer body is kLimit. Of one with an error's status at most 64 KiB are kept.
  std::uint64_t max_answer = std::uint64_t{1} << 20;
  int attempts = 0;  // 0: as many as the client makes
  // GET of bytes that never change (content-addressed): an attempt that broke off is gone on with
  // where it stopped.
  bool resume = false;
  ProgressFn progress;  // bytes received, of `max_answer`
};

struct HttpAnswer {
  int status = 0;  // 206 is given as 200 once a resumed body is whole
  std::string body;
  std::map<std::string, std::string> headers;  // names in lower case; several are joined by ", "
  std::string url;                             // that answered, after redirects

  // Empty when there is none.
  std::string header(const std::string& name) const;
};

// One connection pool. Not thread-safe; movable.
class HttpClient {
 public:
  // kInternal when libcurl cannot start.
  static Result<HttpClient> create(HttpOptions options);
  HttpClient(HttpClient&&) noexcept;
  HttpClient& operator=(HttpClient&&) noexcept;
  ~HttpClient();

  // Sends a request, and follows at most five redirects of GET and HEAD, from https to https alone
  // and from http to where http is allowed. Any status is an answer, not an error. Connections that
  // fail or break off, 408, 429 and 5xx other than 501 are tried again; the last answer counts.
  //
  // kDenied: http:// where it is not allowed, a redirect to it, a certificate that does not hold;
  // kNotFound: no such host; kLimit: an answer longer than asked for, too slow, or too many
  // redirects; kIo: any other failure to reach the host; kInvalidArgument: a URL that is none;
  // kCancelled.
  Result<HttpAnswer> send(const HttpRequest& request);

 private:
  struct Impl;
  explicit HttpClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace llmpatch
