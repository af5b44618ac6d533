#include "serve/api_server.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <ctime>
#include <mutex>
#include <thread>

#include "base/ascii.h"
#include "serve/assets.h"
#include "serve/channel_watch.h"
#include "serve/completions.h"
#include "serve/loopback.h"
#include "serve/models.h"
#include "serve/patch_admin.h"
#include "serve/queue_shares.h"
#include "serve/retry_after.h"
#include "serve/router.h"
#include "serve/store_watch.h"
#include "serve/workers.h"

namespace llmpatch {
namespace {

// Nothing but what this server sends, and no script or style within the page.
constexpr const char* kContentPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

// A host as an URL has it.
bool is_this_machine(std::string_view host) { return is_loopback(host) || host == "[::1]"; }

// The name in a Host header, without its port.
std::string_view host_name(std::string_view host) {
  if (host.starts_with('[')) return host.substr(0, host.find(']') + 1);
  return host.substr(0, host.rfind(':'));
}

bool says_json(std::string_view type) {
  type = type.substr(0, type.find(';'));
  while (type.ends_with(' ')) type.remove_suffix(1);
  return ascii_lower(type) == "application/json";
}

AnswerRules rules_of(const ApiServerOptions& options) {
  return {options.max_tokens, options.request_timeout};
}

std::string id_prefix(std::string_view path) {
  if (path == "/v1/chat/completions") return "chatcmpl";
  return path == "/v1/completions" ? "cmpl" : "req";
}

}  // namespace

struct ApiServer::State {
  State(ServingEngine& served, ApiServerOptions chosen)
      : engine(served),
        options(std::move(chosen)),
        started(std::time(nullptr)),
        reading(QueueShares::create(options.max_waiting)),
        retry_after(
            options.max_concurrent, [this] { return engine.stats().waiting; },
            options.request_timeout) {}

  ServingEngine& engine;
  const ApiServerOptions options;  // as it was started
  std::mutex reloading;            // one at a time
  const std::int64_t started;
  const std::shared_ptr<QueueShares> reading;  // places of requests that wait for the readers
  RetryAfter retry_after;
  Metrics metrics;
  std::unique_ptr<RequestLog> log;
  std::unique_ptr<Patches> patches;
  Router router;
  std::mutex keys_mutex;
  std::shared_ptr<const Keys> keys;
  std::unique_ptr<AnswerAudit> audit;
  std::unique_ptr<Completions> completions;
  std::unique_ptr<PatchAdmin> admin;

  std::mutex watch_mutex;
  std::condition_variable watch_ends;
  bool ends_watch = false;
  std::string store_seen;  // its state before the patches were read
  std::thread watcher;
  std::unique_ptr<ChannelWatch> channels;  // null: none are asked

  // Each may post to those above it.
  Workers finishers{1};
  Workers changers{1};  // what waits for the store
  Workers readers{2};
  std::atomic<bool> is_draining = false;
  std::unique_ptr<HttpServer> http;
  std::atomic<const HttpServer*> connected = nullptr;  // `http`, once it is there

  void add_endpoints();
  void add_patch_endpoints();
  void add_assets();
  void handle(std::shared_ptr<HttpExchange> exchange);
  bool let_in(ApiCall& call, const Endpoint& endpoint);
  std::optional<ApiError> refusal_of(const HttpServerRequest& request,
                                     const Router::Match& match) const;
  std::shared_ptr<const Keys> current_keys() {
    const std::lock_guard lock(keys_mutex);
    return keys;
  }
  bool is_ready() const {
    const Result<ResolvedStack> stack = patches->table()->default_stack();
    return !is_draining && stack.ok() && stack->engine_stack().ok();
  }
  Status reload(ApiServerOptions next);
  Result<std::vector<std::string>> take_over(ApiServerOptions next);
  Status reload_patches() { return logged(patches->reload()); }
  Status logged(Result<std::vector<std::string>> warnings);
  void watch();
  void end_watch();
};

void ApiServer::State::add_endpoints() {
  const auto add = [&](const char* method, const char* pattern, Access access, auto run) {
    router.add({method, pattern, access, /*on_worker=*/true, std::move(run)});
  };
  using Call = std::shared_ptr<ApiCall>;
  add("POST", "/v1/chat/completions", Access::kApiKey,
      [this](const Call& call, const PathValues&) { completions->chat(call); });
  add("POST", "/v1/completions", Access::kApiKey,
      [this](const Call& call, const PathValues&) { completions->complete(call); });
  add("POST", "/v1/embeddings", Access::kApiKey, [](const Call& call, const PathValues&) {
    call->fail({400, "this server makes no embeddings", "unsupported_endpoint", ""});
  });
  const auto models = [this](const ApiCall& call) {
    return models_json(*patches->table(), options.model, call.caller().key, started);
  };
  add("GET", "/v1/models", Access::kApiKey,
      [models](const Call& call, const PathValues&) { call->respond(200, models(*call)); });
  add("GET", "/v1/models/{id}", Access::kApiKey,
      [models](const Call& call, const PathValues& values) {
        const Json list = models(*call);
        for (const Json& model : list["data"]) {
          if (model["id"] == values[0]) return call->respond(200, model);
        }
        call->fail({404, "model: found none of that id", "model_not_found", "model"});
      });
  add("GET", "/metrics", Access::kApiKey, [this](const Call& call, const PathValues&) {
    const HttpServer* server = connected;
    Metrics::Now now{engine.stats(),
                     engine.plan().cells,
                     server == nullptr ? 0 : server->connections(),
                     is_ready(),
                     patches->table(),
                     call->caller().key,
                     log->is_audit_failing()};
    call->respond(200, "text/plain; version=0.0.4; charset=utf-8", metrics.text(now));
  });
  router.add({"GET", "/health", Access::kAnybody, false, [](const Call& call, const PathValues&) {
                call->respond(200, {{"status", "ok"}});
              }});
  add("GET", "/ready", Access::kAnybody, [this](const Call& call, const PathValues&) {
    if (is_ready()) return call->respond(200, {{"status", "ready"}});
    call->fail({503, "the default stack of patches cannot run", "patch_unavailable", ""});
  });
}

void ApiServer::State::add_patch_endpoints() {
  using Call = std::shared_ptr<ApiCall>;
  // What reads or changes the store waits for it apart from the requests.
  const auto add = [&](const char* method, const char* pattern, Access access, auto run) {
    router.add({method, pattern, access, /*on_worker=*/true,
                [this, run](const Call& call, const PathValues& values) {
                  changers.post([run, call, values] { run(*call, values); });
                }});
  };
  const auto list = [this](ApiCall& call, const std::string& name) {
    admin->list(call, name, call.caller().keys->has_admin_key());
  };
  router.add({"GET", "/v1/patches", Access::kApiKey, true,
              [list](const Call& call, const PathValues&) { list(*call, ""); }});
  router.add({"GET", "/v1/patches/{name}", Access::kApiKey, true,
              [list](const Call& call, const PathValues& values) { list(*call, values[0]); }});
  add("GET", "/v1/patches/{name}/history", Access::kApiKey,
      [this](ApiCall& call, const PathValues& values) { admin->history(call, values[0]); });
  add("POST", "/v1/patches", Access::kAdmin,
      [this](ApiCall& call, const PathValues&) { admin->install(call); });
  add("POST", "/v1/patches/{name}/activate", Access::kAdmin,
      [this](ApiCall& call, const PathValues& values) { admin->activate(call, values[0]); });
  add("POST", "/v1/patches/{name}/deactivate", Access::kAdmin,
      [this](ApiCall& call, const PathValues& values) { admin->deactivate(call, values[0]); });
  add("POST", "/v1/patches/{name}/rollback", Access::kAdmin,
      [this](ApiCall& call, const PathValues& values) { admin->rollback(call, values[0]); });
  add("DELETE", "/v1/patches/{name}/{version}", Access::kAdmin,
      [this](ApiCall& call, const PathValues& values) {
        admin->remove(call, values[0], values[1]);
      });
}

void ApiServer::State::add_assets() {
  const auto add = [&](std::string path, const Asset& asset) {
    router.add({"GET", std::move(path), Access::kAnybody, false,
                [&asset](const std::shared_ptr<ApiCall>& call, const PathValues&) {
                  call->respond(200, std::string(asset.type).c_str(), std::string(asset.bytes),
                                {{"Content-Security-Policy", kContentPolicy},
                                 {"Referrer-Policy", "no-referrer"}});
                }});
  };
  for (const Asset& asset : assets()) {
    add("/" + std::string(asset.name), asset);
    if (asset.name == "index.html") add("/", asset);
  }
}

std::optional<ApiError> ApiServer::State::refusal_of(const HttpServerRequest& request,
                                                     const Router::Match& match) const {
  if (is_this_machine(options.http.host) && !is_this_machine(host_name(request.header("Host")))) {
    return ApiError{403, "Host: found another name, expected this machine's (localhost)",
                    "host_not_allowed", ""};
  }
  if (match.endpoint == nullptr) {
    if (match.allowed.empty()) return ApiError{404, "there is nothing here", "not_found", ""};
    return ApiError{405, "found another method, expected " + match.allowed, "method_not_allowed",
                    ""};
  }
  if (request.method == "POST" && !says_json(request.header("Content-Type"))) {
    return ApiError{415, "Content-Type: expected application/json", "unsupported_media_type", ""};
  }
  return std::nullopt;
}

bool ApiServer::State::let_in(ApiCall& call, const Endpoint& endpoint) {
  Caller caller;
  caller.keys = current_keys();
  const std::string_view bearer = bearer_of(call.request().header("Authorization"));
  if (endpoint.access != Access::kAnybody) {
    caller.is_admin = caller.keys->is_admin(bearer);
    if (!caller.is_admin) caller.key = caller.keys->find(bearer);
  }
  call.set_caller(caller);
  if (endpoint.access == Access::kAdmin && !caller.is_admin) {
    call.fail(caller.keys->has_admin_key()
                  ? ApiError{403, "Authorization: expected the admin key", "invalid_admin_key", ""}
                  : ApiError{403, "this server was started without --admin-key-file",
                             "admin_disabled", ""});
    return false;
  }
  if (endpoint.access == Access::kApiKey && caller.keys->has_api_keys() && !caller.is_admin &&
      caller.key == nullptr) {
    call.fail({401, "Authorization: expected \"Bearer\" and a key of this server",
               "invalid_api_key", ""});
    return false;
  }
  return true;
}

void ApiServer::State::handle(std::shared_ptr<HttpExchange> exchange) {
  const HttpServerRequest& request = exchange->request();
  const Router::Match match = router.match(request.method, request.path);
  const auto call = std::make_shared<ApiCall>(
      std::move(exchange), metrics, *log, retry_after, new_id(id_prefix(request.path)),
      match.endpoint == nullptr ? std::string("none") : match.endpoint->pattern);
  if (const auto refused = refusal_of(request, match)) {
    HttpHeaders headers;
    if (!match.allowed.empty()) headers.emplace_back("Allow", match.allowed);
    return call->fail(*refused, std::move(headers));
  }
  const Endpoint& endpoint = *match.endpoint;
  // What is answered at once still is: the process is alive.
  if (is_draining && endpoint.on_worker) {
    return call->fail({503, "the server is shutting down", "shutting_down", ""});
  }
  if (!let_in(*call, endpoint)) return;
  if (!endpoint.on_worker) return endpoint.run(call, match.values);
  std::string tenant = call->caller().name();
  // Who has no key where there are keys is one tenant of a name that no key has.
  if (tenant.empty() && call->caller().keys->has_api_keys()) tenant = " ";
  Result<std::shared_ptr<QueueShares::Ticket>> ticket = QueueShares::take(reading, tenant, 1);
  if (!ticket.ok()) return call->fail(share_error(ticket.error()));
  readers.post(tenant, [&endpoint, call, values = match.values, ticket = std::move(*ticket)] {
    endpoint.run(call, values);
  });
}

// The one line that a reload has in the log; `warnings` are those it brought.
Status ApiServer::State::logged(Result<std::vector<std::string>> warnings) {
  metrics.count_reload(warnings.ok());
  if (!warnings.ok()) {
    log->write("reload", {{"outcome", "failed"}, {"error", warnings.error().message}}, true);
    return std::move(warnings).error();
  }
  const Result<ResolvedStack> stack = patches->table()->default_stack();
  log->write("reload",
             {{"outcome", "done"},
              {"default_stack", stack.ok() ? stack->header() : stack.error().message},
              {"warnings", *warnings}},
             true);
  return {};
}

// Reads and checks everything, then exchanges it: what fails changes nothing.
Result<std::vector<std::string>> ApiServer::State::take_over(ApiServerOptions next) {
  if (!options.api_keys.empty() && next.api_keys.empty()) {
    return make_error(ErrorKind::kInvalidArgument, "serve",
                      "API keys: found none, for a server that was started with some",
                      "start it again to let everybody in");
  }
  LLMPATCH_ASSIGN(Keys read, Keys::read(next.api_keys, next.admin_key));
  LLMPATCH_ASSIGN(auto tls, http->read_tls(next.http.certificate, next.http.key));
  next.patches.store = options.patches.store;
  // The last that can fail, and the patches stay as they were where it does.
  LLMPATCH_ASSIGN(std::vector<std::string> warnings, patches->reload(std::move(next.patches)));
  if (tls != nullptr) http->use_tls(std::move(tls));
  completions->set_rules(rules_of(next));
  retry_after.set_longest(next.request_timeout);
  const std::lock_guard lock(keys_mutex);
  keys = std::make_shared<const Keys>(std::move(read));
  return warnings;
}

Status ApiServer::State::reload(ApiServerOptions next) {
  const std::lock_guard lock(reloading);
  // First, whatever the rest brings: the old file may have been moved away.
  if (Status opened = log->reopen(); !opened.ok()) return logged(std::move(opened).error());
  return logged(take_over(std::move(next)));
}

void ApiServer::State::watch() {
  std::unique_lock lock(watch_mutex);
  while (!watch_ends.wait_for(lock, options.watch, [&] { return ends_watch; })) {
    const std::string now = store_state(options.patches.store);
    if (now == store_seen) continue;
    // A state that could not be read is looked at again; only what was read counts as seen.
    if (reload_patches().ok()) store_seen = now;
  }
}

void ApiServer::State::end_watch() {
  {
    const std::lock_guard lock(watch_mutex);
    ends_watch = true;
  }
  watch_ends.notify_all();
  if (watcher.joinable()) watcher.join();
  if (channels) channels->stop();
}

ApiServer::ApiServer(std::unique_ptr<State> state) : state_(std::move(state)) {}

ApiServer::~ApiServer() {
  if (state_->http) drain(std::chrono::steady_clock::now());
}

Result<std::unique_ptr<ApiServer>> ApiServer::start(ServingEngine& engine,
                                                    ApiServerOptions options) {
  auto state = std::make_unique<State>(engine, std::move(options));
  const ApiServerOptions& chosen = state->options;
  LLMPATCH_ASSIGN(Keys keys, Keys::read(chosen.api_keys, chosen.admin_key));
  state->keys = std::make_shared<const Keys>(std::move(keys));
  LLMPATCH_ASSIGN(state->log, RequestLog::open(chosen.audit_log));
  state->store_seen = store_state(chosen.patches.store);
  LLMPATCH_ASSIGN(state->patches, Patches::open(chosen.patches, engine));
  State* const self = state.get();
  std::vector<std::unique_ptr<Judge>> judges;
  for (const std::string& name : chosen.judges) {
    LLMPATCH_ASSIGN(auto judge, make_judge(name, chosen.judge_options));
    judges.push_back(std::move(judge));
  }
  state->audit = std::make_unique<AnswerAudit>(std::move(judges), chosen.audit_text, *state->log,
                                               state->metrics);
  state->completions = std::make_unique<Completions>(
      engine, *state->patches, state->finishers, state->metrics, *state->audit,
      CompletionsOptions{chosen.model, chosen.fingerprint, rules_of(chosen), chosen.max_answers});
  state->admin = std::make_unique<PatchAdmin>(*state->patches, chosen.model, chosen.registry,
                                              [self] { return self->reload_patches(); });
  state->add_endpoints();
  state->add_patch_endpoints();
  state->add_assets();
  if (chosen.update.count() > 0) {
    state->channels = std::make_unique<ChannelWatch>(*state->patches, chosen.registry, *state->log,
                                                     state->metrics, [self] {
                                                       // What failed is logged.
                                                       static_cast<void>(self->reload_patches());
                                                     });
  }
  if (chosen.watch.count() > 0) state->watcher = std::thread([self] { self->watch(); });
  std::unique_ptr<ApiServer> server(new ApiServer(std::move(state)));
  Result<std::unique_ptr<HttpServer>> http = HttpServer::start(
      chosen.http,
      [self](std::shared_ptr<HttpExchange> exchange) { self->handle(std::move(exchange)); },
      [](int status, std::string_view message, std::string_view code) {
        return json_line(http_error(status, std::string(message), std::string(code)).body());
      });
  if (!http.ok()) {
    self->end_watch();
    return std::move(http).error();
  }
  self->http = std::move(*http);
  self->connected = self->http.get();
  if (self->channels) self->channels->start(chosen.update);
  return server;
}

std::uint16_t ApiServer::port() const { return state_->http->port(); }

std::vector<std::string> ApiServer::warnings() const {
  return warnings_of(*state_->patches->table());
}

std::string ApiServer::default_stack() const {
  const Result<ResolvedStack> stack = state_->patches->table()->default_stack();
  return stack.ok() ? stack->header() : stack.error().message;
}

Status ApiServer::reload(ApiServerOptions options) { return state_->reload(std::move(options)); }

void ApiServer::log_failed_reload(const Error& error) {
  // A log that cannot be opened is what the next reload says.
  static_cast<void>(state_->log->reopen());
  static_cast<void>(state_->logged(error));
}

void ApiServer::drain(std::chrono::steady_clock::time_point deadline) {
  if (!state_->http) return;
  state_->log->stop_waiting_at(deadline);  // before what may be waiting for it is ended
  state_->end_watch();
  state_->is_draining = true;
  state_->http->stop_accepting();
  state_->readers.close();  // what came in before is given to the engine
  state_->changers.close();
  state_->engine.drain(deadline);
  state_->finishers.close();
  state_->audit->close();
  // The answers are written; their last bytes may be on their way.
  constexpr std::chrono::milliseconds kLook{10};
  const auto patience =
      std::max(deadline, std::chrono::steady_clock::now() + std::chrono::seconds(1));
  while (state_->http->connections() > 0 && std::chrono::steady_clock::now() < patience) {
    std::this_thread::sleep_for(kLook);
  }
  state_->http->stop();
  state_->connected = nullptr;
  state_->http.reset();
}

}  // namespace llmpatch
