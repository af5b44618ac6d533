#include "serve_options.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "base/quote.h"
#include "base/sha256.h"
#include "serve/loopback.h"
#include "serve/stack_request.h"
#include "store_options.h"
#include "tool_version.h"

namespace llmpatch {
namespace {

constexpr std::chrono::milliseconds kWatchInterval{1000};

// What a server takes over when it reads its options anew.
constexpr std::array<std::string_view, 17> kLiveOptions{
    "accept-base",       "admin-key-file", "allow-unpatched", "allow-unsigned", "api-keys",
    "certificate-chain", "compose",        "drain-timeout",   "force",          "key",
    "max-tokens",        "patch",          "request-timeout", "stack",          "tls-certificate",
    "tls-key",           "trust"};

constexpr const char* kIdCharacters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

Error contradiction(const std::string& message, const char* hint) {
  return make_error(ErrorKind::kInvalidArgument, "command line", message, hint);
}

}  // namespace

void CommandServeOptions::declare(CLI::App& app) {
  run.declare(app);
  patches.declare(app);
  app.add_flag("--force", force, "Run a patch on a model it was not made for");
  app.add_flag("--allow-unpatched", allow_unpatched,
               "Let requests run the model without any patch: those that ask for it\n(\"patches\": "
               "[]), and all others where none is active");

  const char* network = "Network";
  app.add_option("--host", host,
                 "Address to listen on (default: 127.0.0.1; with --public every address)")
      ->group(network);
  app.add_option("--port", port, "Port; 0 takes a free one and says which")
      ->capture_default_str()
      ->group(network);
  app.add_flag("--public", is_public, "Listen beyond this machine; needs --api-keys")
      ->group(network);
  app.add_option("--tls-certificate", certificate, "Certificate chain (PEM) for https")
      ->group(network);
  app.add_option("--tls-key", private_key, "Its private key (PEM)")->group(network);
  app.add_option("--api-keys", api_keys, "File (JSON) of the keys that requests must have")
      ->group(network);
  app.add_option("--admin-key-file", admin_key, "File with the key that may change patches")
      ->group(network);

  const char* limits = "Limits";
  app.add_option("--context", engine.context,
                 "Tokens of one request, answer included; 0: as trained, at most 4096")
      ->capture_default_str()
      ->check(CLI::Range(0, 1 << 22))
      ->group(limits);
  app.add_option("--max-tokens", max_tokens, "Tokens of one answer; 0: what the context leaves")
      ->capture_default_str()
      ->check(CLI::Range(0, 1 << 22))
      ->group(limits);
  app.add_option("--max-concurrent", engine.max_concurrent, "Answers generated at the same time")
      ->capture_default_str()
      ->check(CLI::Range(1, kMaxServedAtOnce))
      ->group(limits);
  app.add_option("--max-queue", engine.max_queue, "Answers that wait beyond those; then 429")
      ->capture_default_str()
      ->check(CLI::Range(0, 100000))
      ->group(limits);
  app.add_option("--cache-tokens", engine.cache_tokens,
                 "Tokens the cache holds for all requests; 0: planned")
      ->capture_default_str()
      ->check(CLI::Range(0, 1 << 26))
      ->group(limits);
  app.add_option(
         "--cache-layout", cache_layout,
         "split: each answer has room for a whole context of its own, which is the fastest;\n"
         "unified: all draw on the same tokens, which takes less memory; auto: split where\n"
         "that takes at most a quarter of the free memory and --cache-tokens is 0")
      ->capture_default_str()
      ->check(CLI::IsMember({"unified", "split", "auto"}))
      ->group(limits);
  app.add_option("--max-body", max_body_mib, "MiB of one request's body")
      ->capture_default_str()
      ->check(CLI::Range(1, 256))
      ->group(limits);
  app.add_option("--max-connections", max_connections, "Open connections")
      ->capture_default_str()
      ->check(CLI::Range(1, 65536))
      ->group(limits);
  app.add_option("--request-timeout", request_seconds, "Seconds one request may take")
      ->capture_default_str()
      ->check(CLI::Range(1, 86400))
      ->group(limits);
  app.add_option("--drain-timeout", drain_seconds,
                 "Seconds that requests have to finish after SIGTERM or Ctrl-C")
      ->capture_default_str()
      ->check(CLI::Range(0, 86400))
      ->group(limits);

  const char* operation = "Operation";
  app.add_option("--model-name", model_name,
                 "Id of the base model (default: the file's name without .gguf)")
      ->group(operation);
  app.add_option("--stack", stacks,
                 "NAME=PATCH+PATCH[:parallel]: a stack that requests may call by the model id "
                 "BASE+NAME; repeatable")
      ->allow_extra_args(false)
      ->group(operation);
  app.add_option("--config", config,
                 "File (JSON) with options, named as here; those of the command line win")
      ->group(operation);
  app.add_flag("--watch", watch, "Follow the store: changes by other commands are served at once")
      ->group(operation);
  app.add_option("--update", update_seconds,
                 "Do what `llmpatch update` does every so many seconds, and serve what is new; 0: "
                 "never")
      ->capture_default_str()
      ->check(CLI::Range(0, 86400))
      ->group(operation);
  app.add_option("--audit-log", audit_log, "File to append a line to for each answer and change")
      ->group(operation);
  app.add_flag("--audit-text", audit_text, "Prompts and answers go into the audit log, too")
      ->group(operation);
  app.add_option("--audit-judge", audit_judges,
                 "Judge that looks at finished answers, by name or file, for /metrics and the "
                 "audit log; repeatable")
      ->allow_extra_args(false)
      ->group(operation);
  app.add_option("--data", data, "Folder of the tables of toxicity judges")
      ->capture_default_str()
      ->group(operation);
  app.add_flag("--json", json, "Print what was started as one line of JSON")->group(operation);
  registry.declare(app);
  app.footer(
      "SIGHUP reads --config, keys, certificates, policies, --patch directories and the store "
      "anew.\n"
      "SIGTERM and Ctrl-C let requests finish, then end with code 0. docs/api.md describes the "
      "API.");
}

Result<std::string> CommandServeOptions::model_id() const {
  std::string id = model_name;
  if (id.empty()) {
    id = run.model.stem().string();
    for (char& c : id) {
      if (std::string_view(kIdCharacters).find(c) == std::string_view::npos) c = '-';
    }
  }
  if (id.empty() || id.size() > 128 || id.find_first_not_of(kIdCharacters) != std::string::npos) {
    return contradiction("--model-name: found " + quote(id) + ", expected letters, digits, and ._-",
                         "leave it out to use the file's name");
  }
  return id;
}

ServingOptions CommandServeOptions::engine_options() const {
  ServingOptions options = engine;
  options.layout = cache_layout == "split"     ? CacheLayout::kSplit
                   : cache_layout == "unified" ? CacheLayout::kUnified
                                               : CacheLayout::kAuto;
  options.exact = run.exact();
  options.threads = run.threads;
  return options;
}

Result<ApiServerOptions> CommandServeOptions::server_options(const CancelFlag& cancel) const {
  ApiServerOptions options;
  options.http.host = !host.empty() ? host : is_public ? "0.0.0.0" : "127.0.0.1";
  if (!is_loopback(options.http.host) && !is_public) {
    return contradiction("--host: found " + options.http.host + ", which others can reach",
                         "say --public if they shall; it needs --api-keys");
  }
  if (is_public && api_keys.empty()) {
    return contradiction("--public: found no --api-keys, without which anybody could ask",
                         "docs/api.md shows how to make the file");
  }
  if (certificate.empty() != private_key.empty()) {
    return contradiction("--tls-certificate: expected --tls-key beside it, and the other way round",
                         "");
  }
  options.http.port = port;
  options.http.certificate = certificate;
  options.http.key = private_key;
  options.http.max_body = static_cast<std::size_t>(max_body_mib) << 20;
  options.http.max_connections = static_cast<std::size_t>(max_connections);

  LLMPATCH_ASSIGN(options.model, model_id());
  options.fingerprint =
      "fp_" + sha256_hex(tool_version() + "\n" + options.model + "\n" + run.kv).substr(0, 12);
  options.patches.model = run.model;
  options.patches.patches = patches.patches;
  options.patches.is_path = is_patch_path;
  LLMPATCH_ASSIGN(options.patches.store, patches.store.resolve());
  options.patches.trust = [trust = patches.trust] { return trust.trust(); };
  options.patches.allow_unsigned = patches.trust.allow();
  options.patches.admission = {patches.accept_base, force};
  options.patches.allow_unpatched = allow_unpatched;
  LLMPATCH_ASSIGN(options.patches.compose, patches.composition());
  for (const std::string& text : stacks) {
    LLMPATCH_ASSIGN(auto named, parse_named_stack(text));
    if (!options.patches.stacks.insert(std::move(named)).second) {
      return contradiction("--stack: found the name of " + quote(text) + " twice", "");
    }
  }
  LLMPATCH_ASSIGN(options.registry, registry.options(cancel));
  options.api_keys = api_keys;
  options.admin_key = admin_key;
  options.audit_log = audit_log;
  options.audit_text = audit_text;
  if (audit_text && audit_log.empty()) {
    return contradiction("--audit-text: found no --audit-log, into which it would be written", "");
  }
  options.judges = audit_judges;
  options.judge_options.data = data;
  options.judge_options.cancel = &cancel;
  options.update = std::chrono::seconds(update_seconds);
  options.max_tokens = max_tokens;
  options.max_answers = static_cast<std::size_t>(engine.max_concurrent + engine.max_queue);
  options.max_concurrent = engine.max_concurrent;
  options.max_waiting = options.max_answers;
  options.request_timeout = std::chrono::seconds(request_seconds);
  if (watch) options.watch = kWatchInterval;
  return options;
}

Result<ServeSetup> ServeSetup::read(const OptionValues& given) {
  ServeSetup setup;
  CLI::App app;
  setup.options.declare(app);
  if (const auto config = given.find("config"); config != given.end()) {
    LLMPATCH_ASSIGN(setup.values, read_option_file(config->second.back(), app));
  }
  for (const auto& [name, texts] : given) setup.values[name] = texts;
  LLMPATCH_TRY(parse_options(setup.values, app));
  return setup;
}

std::vector<std::string> ServeSetup::changed_for_good(const ServeSetup& next) const {
  std::set<std::string> names;
  for (const auto* each : {&values, &next.values}) {
    for (const auto& [name, texts] : *each) names.insert(name);
  }
  const auto texts_of = [](const OptionValues& from, const std::string& name) {
    const auto found = from.find(name);
    return found == from.end() ? std::vector<std::string>() : found->second;
  };
  std::vector<std::string> changed;
  for (const std::string& name : names) {
    const bool is_live =
        std::find(kLiveOptions.begin(), kLiveOptions.end(), name) != kLiveOptions.end();
    if (!is_live && texts_of(values, name) != texts_of(next.values, name)) changed.push_back(name);
  }
  return changed;
}

}  // namespace llmpatch
