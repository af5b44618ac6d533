// One request to the server from its arrival to the end of its answer: who asks, what was answered,
// and the line that the log gets of it. Internal to serve/.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/json.h"
#include "serve/api_error.h"
#include "serve/http_server.h"
#include "serve/keys.h"
#include "serve/metrics.h"
#include "serve/request_log.h"
#include "serve/retry_after.h"

namespace llmpatch {

// Who asks. `key` is null where no keys are configured, and for the admin.
struct Caller {
  std::shared_ptr<const Keys> keys;  // holds `key`
  const ApiKey* key = nullptr;
  bool is_admin = false;

  // What logs call it, and the tenant of its requests.
  std::string name() const;
  // Whether it may run a patch of that name.
  bool may_run(std::string_view patch) const { return key == nullptr || key->may_run(patch); }
  // Whether it may run the model alone, on a server that lets others or not.
  bool may_run_unpatched(bool server_lets) const;
};

// Thread-safe. Exactly one of respond, fail, and begin_stream .. end_stream or abandon.
class ApiCall {
 public:
  // `id` is the header x-request-id; `endpoint` what metrics call the route.
  ApiCall(std::shared_ptr<HttpExchange> exchange, Metrics& metrics, RequestLog& log,
          RetryAfter& retry_after, std::string id, std::string endpoint);
  ~ApiCall();
  ApiCall(const ApiCall&) = delete;
  ApiCall& operator=(const ApiCall&) = delete;

  const HttpServerRequest& request() const { return exchange_->request(); }
  const std::string& id() const { return id_; }
  const Caller& caller() const { return caller_; }
  void set_caller(Caller caller) { caller_ = std::move(caller); }  // before it is shared
  double seconds() const;                                          // since it arrived

  // Adds a field to the line in the log.
  void note(const char* field, OrderedJson value);
  // One of its choices had a place of the engine for so long.
  void note_place(double seconds) { retry_after_.note(seconds); }
  // The line goes into the audit log, too.
  void audit() { audited_ = true; }
  void on_gone(std::function<void()> gone) { exchange_->on_gone(std::move(gone)); }

  void respond(int status, const Json& body, HttpHeaders headers = {});
  void respond(int status, const char* type, std::string body, HttpHeaders headers = {});
  void fail(const ApiError& error, HttpHeaders headers = {});

  // Server-sent events.
  void begin_stream(HttpHeaders headers);
  void event(const Json& data);
  // `status` is for the log: what the answer would have had if it had been known at its begin.
  void end_stream(int status);
  // The client has gone: nothing more is sent, and the log has 499.
  void abandon();

 private:
  HttpHeaders with_common(HttpHeaders headers) const;
  void close(int status);

  const std::shared_ptr<HttpExchange> exchange_;
  Metrics& metrics_;
  RequestLog& log_;
  RetryAfter& retry_after_;
  const std::string id_, endpoint_;
  const std::chrono::steady_clock::time_point arrived_ = std::chrono::steady_clock::now();
  Caller caller_;
  std::atomic<bool> audited_ = false, closed_ = false;
  std::mutex mutex_;
  OrderedJson notes_ = OrderedJson::object();
};

// "prefix-" and 24 random hexadecimal digits.
std::string new_id(std::string_view prefix);

}  // namespace llmpatch
