#include "http/client.h"

#include <curl/curl.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <optional>
#include <random>
#include <thread>

#include "base/ascii.h"
#include "base/quote.h"
#include "http/url.h"

namespace llmpatch {
namespace {

constexpr int kMaxRedirects = 5;
constexpr std::size_t kMaxErrorPage = 64 << 10;
constexpr std::uint64_t kMaxHeaderBytes = 256 << 10;

struct CloseEasy {
  void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, FreeList>;

Error http_error(ErrorKind kind, const std::string& url, const std::string& message,
                 const std::string& hint = "") {
  return make_error(kind, "http", url + ": " + message, hint);
}

// What one attempt receives.
struct Receiver {
  const HttpRequest& request;
  const CancelFlag* cancel;
  HttpAnswer& answer;  // its body goes on from an attempt before
  CURL* easy;
  std::uint64_t before;  // bytes that attempts before this one received
  std::uint64_t header_bytes = 0, discarded = 0;
  bool too_long = false;
  bool cut = false;  // an error page, of which enough is there
};

std::size_t take_header(char* data, std::size_t, std::size_t size, void* to) {
  auto& receiver = *static_cast<Receiver*>(to);
  receiver.header_bytes += size;
  if (receiver.header_bytes > kMaxHeaderBytes) {
    receiver.too_long = true;
    return 0;
  }
  std::string_view line(data, size);
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
  if (line.starts_with("HTTP/")) {  // of the answer, after that of a 100
    receiver.answer.headers.clear();
    return size;
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return size;
  const std::string name = ascii_lower(line.substr(0, colon));
  std::string_view value = line.substr(colon + 1);
  while (value.starts_with(' ') || value.starts_with('\t')) value.remove_prefix(1);
  std::string& known = receiver.answer.headers[name];
  if (!known.empty()) known += ", ";
  known += value;
  return size;
}

long status_of(CURL* curl) {
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  return status;
}

std::size_t take_body(char* data, std::size_t, std::size_t size, void* to) {
  auto& receiver = *static_cast<Receiver*>(to);
  std::string& body = receiver.answer.body;
  const long status = status_of(receiver.easy);
  if (status != 200 && status != 206) {  // an error page, which does not go behind what is there
    if (receiver.before == 0) {
      body.append(data, std::min(size, kMaxErrorPage - std::min(kMaxErrorPage, body.size())));
    }
    receiver.discarded += size;
    receiver.cut = receiver.discarded > kMaxErrorPage;
    return receiver.cut ? 0 : size;
  }
  const bool discards = receiver.before > 0 && status != 206;  // the whole again
  const std::uint64_t taken = discards ? receiver.discarded : body.size();
  const std::uint64_t most = receiver.request.max_answer;
  if (taken > most || size > most - taken) {
    receiver.too_long = true;
    return 0;
  }
  if (discards) {
    receiver.discarded += size;
    return size;
  }
  body.append(data, size);
  if (receiver.request.progress) receiver.request.progress(body.size(), most, "");
  return size;
}

int look_at_cancel(void* from, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return check_cancelled(static_cast<Receiver*>(from)->cancel, "http").ok() ? 0 : 1;
}

struct Upload {
  std::string_view body;
  std::size_t sent = 0;
};

std::size_t give_body(char* data, std::size_t, std::size_t size, void* from) {
  auto& upload = *static_cast<Upload*>(from);
  const std::size_t count = std::min(size, upload.body.size() - upload.sent);
  std::memcpy(data, upload.body.data() + upload.sent, count);
  upload.sent += count;
  return count;
}

// libcurl sends an upload again from its beginning where a connection turned out to be dead.
int rewind_body(void* from, curl_off_t offset, int origin) {
  auto& upload = *static_cast<Upload*>(from);
  if (origin != SEEK_SET || offset < 0 || static_cast<std::size_t>(offset) > upload.body.size()) {
    return CURL_SEEKFUNC_FAIL;
  }
  upload.sent = static_cast<std::size_t>(offset);
  return CURL_SEEKFUNC_OK;
}

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool worth_another(int status) {
  return status == 408 || status == 429 || (status >= 500 && status != 501);
}

// What a Retry-After asks for: a number of seconds, or a date.
std::optional<std::chrono::seconds> retry_after(const std::string& text) {
  constexpr std::size_t kMostDigits = 5;
  if (text.empty()) return std::nullopt;
  if (text.find_first_not_of("0123456789") == std::string::npos) {
    return std::chrono::seconds(text.size() > kMostDigits ? 100'000 : std::stoi(text));
  }
  const std::time_t date = curl_getdate(text.c_str(), nullptr);
  if (date < 0) return std::nullopt;
  return std::chrono::seconds(date - std::time(nullptr));
}

ErrorKind kind_of(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
      return ErrorKind::kNotFound;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
      return ErrorKind::kDenied;
    case CURLE_OPERATION_TIMEDOUT:
      return ErrorKind::kLimit;
    case CURLE_URL_MALFORMAT:
      return ErrorKind::kInvalidArgument;
    default:
      return ErrorKind::kIo;
  }
}

bool may_be_better_next_time(CURLcode code) {
  const ErrorKind kind = kind_of(code);
  return kind == ErrorKind::kIo || code == CURLE_OPERATION_TIMEDOUT;
}

}  // namespace

std::string HttpAnswer::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? "" : found->second;
}

struct HttpClient::Impl {
  HttpOptions options;
  std::unique_ptr<CURL, CloseEasy> curl;
  char message[CURL_ERROR_SIZE] = {};

  static std::vector<std::string> lines_of(const HttpRequest& request) {
    std::vector<std::string> lines = request.headers;
    if (!request.authorization.empty()) {
      lines.push_back("Authorization: " + request.authorization);
    }
    lines.emplace_back("Expect:");  // no round trip before a body
    return lines;
  }

  static HeaderList headers_of(const HttpRequest& request) {
    HeaderList list;
    for (const std::string& line : lines_of(request)) {
      list.reset(curl_slist_append(list.release(), line.c_str()));
    }
    return list;
  }

  // Seconds that all bytes of a request and its answer take at the least speed on the whole.
  double moving_time(const HttpRequest& request) const {
    const auto bytes = request.max_answer + request.body.size();
    const auto seconds = bytes / (16 * std::max<std::uint64_t>(options.slowest, 1));
    return static_cast<double>(std::min<std::uint64_t>(seconds, 1 << 20));
  }

  // `left` is what all attempts together may still take, in seconds. `upload`, `receiver` and
  // `headers` must live until the transfer is done.
  void prepare(const HttpRequest& request, const Url& url, curl_slist* headers, Upload& upload,
               Receiver& receiver, double left) {
    CURL* easy = curl.get();
    curl_easy_reset(easy);  // keeps connections
    message[0] = 0;
    const auto set = [&](CURLoption option, auto value) { curl_easy_setopt(easy, option, value); };
    set(CURLOPT_URL, request.url.c_str());
    set(CURLOPT_ERRORBUFFER, message);
    set(CURLOPT_USERAGENT, options.agent.c_str());
    set(CURLOPT_HTTPHEADER, headers);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    if (url.scheme == "http") set(CURLOPT_NOPROXY, "*");  // it would leave this machine
    set(CURLOPT_CONNECTTIMEOUT, static_cast<long>(options.connect_limit.count()));
    set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(options.slow_limit.count()));
    set(CURLOPT_LOW_SPEED_LIMIT, static_cast<long>(options.slowest));
    const double whole = static_cast<double>(options.slow_limit.count()) + moving_time(request);
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(1000 * std::min(whole, left)));
    if (!options.certificates.empty()) {
      set(CURLOPT_CAINFO, options.certificates.c_str());
      set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));  // and no others
    }
    set(CURLOPT_HEADERFUNCTION, take_header);
    set(CURLOPT_HEADERDATA, &receiver);
    set(CURLOPT_WRITEFUNCTION, take_body);
    set(CURLOPT_WRITEDATA, &receiver);
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_XFERINFOFUNCTION, look_at_cancel);
    set(CURLOPT_XFERINFODATA, &receiver);
    if (request.method == "HEAD") {
      set(CURLOPT_NOBODY, 1L);
    } else if (request.method == "POST" || request.method == "PUT") {
      set(request.method == "POST" ? CURLOPT_POST : CURLOPT_UPLOAD, 1L);
      set(CURLOPT_READFUNCTION, give_body);
      set(CURLOPT_READDATA, &upload);
      set(CURLOPT_SEEKFUNCTION, rewind_body);
      set(CURLOPT_SEEKDATA, &upload);
      const auto size = static_cast<curl_off_t>(request.body.size());
      set(request.method == "POST" ? CURLOPT_POSTFIELDSIZE_LARGE : CURLOPT_INFILESIZE_LARGE, size);
    }
    if (request.resume && !receiver.answer.body.empty()) {
      set(CURLOPT_RESUME_FROM_LARGE, static_cast<curl_off_t>(receiver.answer.body.size()));
    }
  }

  // One attempt, whose time is taken off `left`. True when another one may help.
  Result<bool> attempt(const HttpRequest& request, const Url& url, HttpAnswer& answer,
                       double& left) {
    const std::uint64_t before = answer.body.size();
    Receiver receiver{request, options.cancel, answer, curl.get(), before};
    Upload upload{request.body};
    const HeaderList headers = headers_of(request);
    prepare(request, url, headers.get(), upload, receiver, left);
    const CURLcode code = curl_easy_perform(curl.get());
    double seconds = 0;
    curl_easy_getinfo(curl.get(), CURLINFO_TOTAL_TIME, &seconds);
    left -= seconds;
    LLMPATCH_TRY(check_cancelled(options.cancel, "http"));
    if (receiver.too_long) {
      return http_error(ErrorKind::kLimit, request.url,
                        "found an answer of more than " + std::to_string(request.max_answer) +
                            " bytes, or too long a head");
    }
    const long status = status_of(curl.get());
    answer.status = static_cast<int>(status);
    // A server that does not know ranges gives the whole again, which libcurl refuses.
    if (code == CURLE_RANGE_ERROR || (before > 0 && (status == 200 || status == 416))) {
      answer.body.clear();
      return true;
    }
    if (code != CURLE_OK && !receiver.cut) {
      if (!request.resume || (status != 200 && status != 206)) answer.body.resize(before);
      last_failure = http_error(kind_of(code), request.url,
                                message[0] != 0 ? message : curl_easy_strerror(code));
      if (!may_be_better_next_time(code)) return *last_failure;
      return true;
    }
    last_failure.reset();
    if (status == 206 && before > 0) answer.status = 200;
    answer.url = request.url;
    return worth_another(answer.status);
  }

  // Waits before attempt `number` (from 1), as long as the server asks for or ever longer; a little
  // at random, so that many clients do not come back at once.
  Status wait(int number, const HttpAnswer& answer) {
    auto time = options.first_wait * (1 << (number - 1));
    if (const auto asked = retry_after(answer.header("retry-after"))) {
      time = std::max(time, std::chrono::milliseconds(*asked));
    }
    time = std::min(time, options.longest_wait);
    time += time * static_cast<int>(random() % 25) / 100;
    const auto until = std::chrono::steady_clock::now() + time;
    while (std::chrono::steady_clock::now() < until) {
      LLMPATCH_TRY(check_cancelled(options.cancel, "http"));
      std::this_thread::sleep_for(std::min(time, std::chrono::milliseconds(50)));
    }
    return {};
  }

  Status check_allowed(const std::string& text, const Url& url) const {
    if (url.scheme != "http" || (options.plain_http && is_this_machine(url))) return {};
    return http_error(ErrorKind::kDenied, text,
                      "found http, expected https: what goes over the network unencrypted can be "
                      "read and changed",
                      is_this_machine(url) ? "--plain-http allows it on this machine" : "");
  }

  // All attempts of one request, without redirects.
  Result<HttpAnswer> exchange(const HttpRequest& request, const Url& url) {
    for (const std::string& line : lines_of(request)) {
      if (std::any_of(line.begin(), line.end(),
                      [](unsigned char c) { return c < 32 || c == 127; })) {
        return http_error(ErrorKind::kInvalidArgument, request.url,
                          "found a control character in a header");
      }
    }
    const int attempts = request.attempts > 0 ? request.attempts : options.attempts;
    HttpAnswer answer;
    double left = static_cast<double>(attempts * options.slow_limit.count()) + moving_time(request);
    last_failure.reset();
    for (int number = 1;; ++number) {
      LLMPATCH_ASSIGN(const bool again, attempt(request, url, answer, left));
      if (!again) return answer;
      if (number >= attempts || left < 1) break;
      LLMPATCH_TRY(wait(number, answer));
      if (!(request.resume && last_failure)) answer.body.clear();  // an error page
    }
    if (last_failure) return *last_failure;
    return answer;
  }

  std::optional<Error> last_failure;
  std::minstd_rand random{std::random_device{}()};
};

HttpClient::HttpClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpClient::HttpClient(HttpClient&&) noexcept = default;
HttpClient& HttpClient::operator=(HttpClient&&) noexcept = default;
HttpClient::~HttpClient() = default;

Result<HttpClient> HttpClient::create(HttpOptions options) {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  auto impl = std::make_unique<Impl>();
  impl->options = std::move(options);
  impl->curl.reset(started == CURLE_OK ? curl_easy_init() : nullptr);
  if (!impl->curl) return make_error(ErrorKind::kInternal, "http", "libcurl does not start");
  return HttpClient(std::move(impl));
}

Result<HttpAnswer> HttpClient::send(const HttpRequest& request) {
  HttpRequest next = request;
  LLMPATCH_ASSIGN(Url place, parse_url(next.url));
  for (int redirects = 0;; ++redirects) {
    LLMPATCH_TRY(impl_->check_allowed(next.url, place));
    LLMPATCH_ASSIGN(HttpAnswer answer, impl_->exchange(next, place));
    const std::string location = answer.header("location");
    const bool follows = is_redirect(answer.status) && !location.empty() &&
                         (next.method == "GET" || next.method == "HEAD");
    if (!follows) return answer;
    if (redirects == kMaxRedirects) {
      return http_error(ErrorKind::kLimit, request.url, "found more than five redirects");
    }
    const auto target = resolve_url(next.url, location);
    const auto there = target.ok() ? parse_url(*target) : Result<Url>(target.error());
    if (!there.ok() || (place.scheme == "https" && there->scheme != "https")) {
      return http_error(ErrorKind::kDenied, request.url,
                        "found a redirect to " + quote(location, 200) + ", expected one to https");
    }
    if (!same_origin(place, *there)) next.authorization.clear();
    next.url = *target;
    place = *there;
  }
}

}  // namespace llmpatch
