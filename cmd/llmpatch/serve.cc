// llmpatch serve: an OpenAI-compatible server whose requests name the patches they run behind.
#include <atomic>
#include <chrono>
#include <csignal>
#include <memory>
#include <string>
#include <thread>

#include "base/json.h"
#include "command.h"
#include "serve_options.h"
#include "terminal.h"

namespace llmpatch {
namespace {

std::atomic<bool> hung_up = false;

extern "C" void on_hang_up(int) { hung_up.store(true, std::memory_order_relaxed); }

void watch_hang_ups() {
  struct sigaction action {};
  action.sa_handler = on_hang_up;
  sigaction(SIGHUP, &action, nullptr);
}

void say_plan(const ServingPlan& plan) {
  const int whole = plan.split ? plan.sequences : plan.cells / plan.context;
  say((plan.split ? "split cache of " : "cache of ") +
      bytes_text(static_cast<double>(plan.cache_bytes)) + " for " +
      count_text(static_cast<std::uint64_t>(plan.cells), "token") + "; " +
      count_text(static_cast<std::uint64_t>(plan.sequences), "sequence") +
      " (requests at a time, and prefixes); up to " +
      count_text(static_cast<std::uint64_t>(plan.context), "token") + " a request, with room for " +
      std::to_string(whole) + " as long as that; " +
      count_text(static_cast<std::uint64_t>(plan.threads), "thread"));
}

std::string url_of(const HttpServerOptions& http, std::uint16_t port) {
  const bool is_v6 = http.host.find(':') != std::string::npos;
  return std::string(http.certificate.empty() ? "http" : "https") + "://" +
         (is_v6 ? "[" + http.host + "]" : http.host) + ":" + std::to_string(port);
}

Status print_address(const CommandServeOptions& options, const ApiServerOptions& chosen,
                     const ApiServer& server) {
  const std::string url = url_of(chosen.http, server.port());
  if (!options.json) return print(url + "\n");
  return print(json_line(OrderedJson{{"url", url},
                                     {"host", chosen.http.host},
                                     {"port", server.port()},
                                     {"model", chosen.model},
                                     {"default_stack", server.default_stack()}}) +
               "\n");
}

// Reads what `given` names anew; `setup` is what the server runs with. What fails is in the log.
void reload(ApiServer& server, const OptionValues& given, ServeSetup& setup,
            const CancelFlag& cancel) {
  Result<ServeSetup> next = ServeSetup::read(given);
  Result<ApiServerOptions> chosen =
      next.ok() ? next->options.server_options(cancel) : Result<ApiServerOptions>(next.error());
  if (!chosen.ok()) {
    return server.log_failed_reload(chosen.error());
  }
  if (!server.reload(std::move(*chosen)).ok()) return;
  for (const std::string& name : setup.changed_for_good(*next)) {
    warn("--" + name + " has changed, which counts once the server is started again");
  }
  setup = std::move(*next);
}

Status run(const OptionValues& given, const CancelFlag& cancel) {
  // Not before it can be read: the signal's own effect is to end the program.
  watch_hang_ups();
  LLMPATCH_ASSIGN(ServeSetup setup, ServeSetup::read(given));
  const CommandServeOptions& options = setup.options;
  LLMPATCH_ASSIGN(const ApiServerOptions chosen, options.server_options(cancel));
  LLMPATCH_ASSIGN(const auto model, options.run.load_model());
  LLMPATCH_ASSIGN(const auto engine, ServingEngine::create(*model, options.engine_options()));
  say_plan(engine->plan());
  LLMPATCH_ASSIGN(const auto server, ApiServer::start(*engine, chosen));
  for (const std::string& warning : server->warnings()) warn(warning);
  if (options.is_public && chosen.http.certificate.empty()) {
    warn(
        "keys and answers cross the network unencrypted: put a proxy with TLS before it, or say "
        "--tls-certificate and --tls-key");
  }
  say("default stack: " + server->default_stack());
  LLMPATCH_TRY(print_address(options, chosen, *server));
  constexpr std::chrono::milliseconds kLook{50};
  while (!cancel.raised()) {
    if (hung_up.exchange(false)) reload(*server, given, setup, cancel);
    std::this_thread::sleep_for(kLook);
  }
  say("finishing the requests that run");
  server->drain(std::chrono::steady_clock::now() + std::chrono::seconds(options.drain_seconds));
  return {};
}

}  // namespace

RunFn declare_serve(CLI::App& app) {
  // Parsed here for errors and --help; what counts is read again with --config.
  auto options = std::make_shared<CommandServeOptions>();
  options->declare(app);
  app.get_option("--model")->required(false);
  return [options, &app](const CancelFlag& cancel) { return run(given_options(app), cancel); };
}

}  // namespace llmpatch
