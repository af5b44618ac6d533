// The server as a whole: who may ask for what, and what is done before it ends.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "distribution/registry.h"
#include "judge/judge.h"
#include "runtime/serving_engine.h"
#include "serve/http_server.h"
#include "serve/patch_loader.h"

namespace llmpatch {

struct ApiServerOptions {
  HttpServerOptions http;
  PatchSources patches;
  RegistryOptions registry;         // where patches are installed from
  std::string model;                // the base model's id
  std::string fingerprint;          // system_fingerprint of answers
  std::filesystem::path api_keys;   // empty: any key will do
  std::filesystem::path admin_key;  // empty: nobody may change patches
  std::filesystem::path audit_log;  // empty: none
  int max_tokens = 0;               // of one answer; 0: what the context leaves
  std::size_t max_waiting = 256;    // requests that are read and tokenised at the same time
  std::size_t max_answers = 288;    // that run and wait in the engine; shared between keys
  int max_concurrent = 32;          // of these, those that run
  std::chrono::seconds request_timeout{600};
  std::chrono::milliseconds watch{0};  // how often the store is looked at; 0: never
  std::chrono::seconds update{0};      // how often its channels are asked for news; 0: never
  std::vector<std::string> judges;     // names or files of those that look at finished answers
  JudgeOptions judge_options;
  bool audit_text = false;  // prompts and answers go into the audit log
};

// Thread-safe.
class ApiServer {
 public:
  // Listens, and answers until drain(). `engine` must outlive it. Errors of load_patches (and of
  // the default stack, unless it was revoked), of reading keys, of opening the audit log, of
  // make_judge, and of
  // HttpServer::start.
  static Result<std::unique_ptr<ApiServer>> start(ServingEngine& engine, ApiServerOptions options);
  ~ApiServer();

  std::uint16_t port() const;
  // Every warning about the patches as they are now.
  std::vector<std::string> warnings() const;
  // "refuse@1.0.0+tone@1.1.0", "none", or why it cannot run.
  std::string default_stack() const;

  // Opens the audit log anew; then reads keys, patches and certificates anew and takes over those
  // of `options` that may change while it runs: the files of keys and certificates, the patches but
  // for their store, allow_unpatched, max_tokens and request_timeout. Requests that run finish on
  // what they began with. An error of any part, or kInvalidArgument (no keys, for a server that was
  // started with some), changes nothing. Either is one line of the log. Not after drain().
  Status reload(ApiServerOptions options);
  // The same for options that could not be read: opens the audit log anew, and logs the error.
  void log_failed_reload(const Error& error);

  // Takes no more requests and lets those that run finish, for so long at the most; what is left is
  // cancelled.
  void drain(std::chrono::steady_clock::time_point deadline);

 private:
  struct State;
  explicit ApiServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace llmpatch
