#include "serve/call.h"

#include <openssl/rand.h>

#include <array>
#include <utility>

#include "base/hex.h"

namespace llmpatch {
namespace {

constexpr std::size_t kLoggedPath = 200;
constexpr int kNobodyThere = 499;

}  // namespace

std::string Caller::name() const {
  if (is_admin) return std::string(kAdminName);
  return key == nullptr ? std::string() : key->name;
}

bool Caller::may_run_unpatched(bool server_lets) const {
  if (is_admin) return true;
  return key != nullptr && key->unpatched ? *key->unpatched : server_lets;
}

ApiCall::ApiCall(std::shared_ptr<HttpExchange> exchange, Metrics& metrics, RequestLog& log,
                 RetryAfter& retry_after, std::string id, std::string endpoint)
    : exchange_(std::move(exchange)),
      metrics_(metrics),
      log_(log),
      retry_after_(retry_after),
      id_(std::move(id)),
      endpoint_(std::move(endpoint)) {}

ApiCall::~ApiCall() { abandon(); }

double ApiCall::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - arrived_).count();
}

void ApiCall::note(const char* field, OrderedJson value) {
  const std::lock_guard lock(mutex_);
  notes_[field] = std::move(value);
}

HttpHeaders ApiCall::with_common(HttpHeaders headers) const {
  headers.emplace_back("x-request-id", id_);
  headers.emplace_back("Cache-Control", "no-store");
  headers.emplace_back("X-Content-Type-Options", "nosniff");
  return headers;
}

void ApiCall::respond(int status, const Json& body, HttpHeaders headers) {
  respond(status, "application/json", json_line(body), std::move(headers));
}

void ApiCall::respond(int status, const char* type, std::string body, HttpHeaders headers) {
  headers.emplace_back("Content-Type", type);
  exchange_->respond(status, with_common(std::move(headers)), std::move(body));
  close(status);
}

void ApiCall::fail(const ApiError& error, HttpHeaders headers) {
  note("code", error.code);
  if (error.status == 429) {
    headers.emplace_back("Retry-After", std::to_string(retry_after_.seconds()));
  }
  if (error.status == 401) headers.emplace_back("WWW-Authenticate", "Bearer");
  respond(error.status, error.body(), std::move(headers));
}

void ApiCall::begin_stream(HttpHeaders headers) {
  headers.emplace_back("Content-Type", "text/event-stream");
  exchange_->begin(200, with_common(std::move(headers)));
}

void ApiCall::event(const Json& data) { exchange_->write("data: " + json_line(data) + "\n\n"); }

void ApiCall::end_stream(int status) {
  exchange_->write("data: [DONE]\n\n");
  exchange_->end();
  close(status);
}

void ApiCall::abandon() { close(kNobodyThere); }

void ApiCall::close(int status) {
  if (closed_.exchange(true)) return;
  metrics_.count_answer(endpoint_, status);
  OrderedJson line{{"id", id_},
                   {"method", request().method},
                   {"path", request().path.substr(0, kLoggedPath)},
                   {"status", status},
                   {"key", caller_.name()},
                   {"peer", request().peer},
                   {"seconds", seconds()}};
  {
    const std::lock_guard lock(mutex_);
    line.update(notes_);
  }
  log_.write("request", std::move(line), audited_);
}

std::string new_id(std::string_view prefix) {
  std::array<unsigned char, 12> bytes{};
  RAND_bytes(bytes.data(), static_cast<int>(bytes.size()));
  return std::string(prefix) + "-" +
         hex_encode({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

}  // namespace llmpatch
