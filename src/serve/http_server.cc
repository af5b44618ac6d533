#include "serve/http_server.h"

#include <sys/resource.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <csignal>
#include <cstddef>
#include <system_error>
#include <thread>

#include "base/ascii.h"
#include "base/quote.h"
#include "serve/http_connection.h"
#include "serve/http_connections.h"
#include "serve/http_tls.h"

namespace llmpatch {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

// So many connections beyond the limit are told that there are too many; more are closed unheard.
constexpr std::size_t kMaxRefused = 64;
// For models, the store, logs and libraries.
constexpr std::size_t kOtherDescriptors = 256;
// Before accepting again after a failure, which is mostly that file descriptors have run out.
constexpr std::chrono::milliseconds kAcceptPause{100};

Status check(const HttpServerOptions& options) {
  const auto bad = [](const std::string& message) {
    return make_error(ErrorKind::kInvalidArgument, "serve", message);
  };
  if (options.threads < 1) return bad("threads: expected at least 1");
  if (options.max_connections < 1) return bad("connections: expected at least 1");
  if (options.max_head < 1024 || options.max_head > (1 << 20)) {
    return bad("head limit: found " + std::to_string(options.max_head) +
               ", expected 1 KiB to 1 MiB");
  }
  if (options.certificate.empty() != options.key.empty()) {
    return bad("TLS: expected both a certificate and a key");
  }
  return {};
}

// Sees to it that the process may have as many open files as all connections and the rest need:
// otherwise clients could use up those of the store and the log.
Status allow_descriptors(std::size_t connections) {
  const rlim_t needed = connections + kMaxRefused + kOtherDescriptors;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed) return {};
  const rlim_t allowed = limit.rlim_max;
  limit.rlim_cur = needed;
  if (allowed >= needed && ::setrlimit(RLIMIT_NOFILE, &limit) == 0) return {};
  return make_error(ErrorKind::kLimit, "serve",
                    "connections: found " + std::to_string(connections) + ", which need " +
                        std::to_string(needed) + " file descriptors, expected at most the " +
                        std::to_string(allowed) + " that this process may have",
                    "allow more (ulimit -Hn) or fewer connections");
}

// Keeps the calling thread's signals from the threads it starts: they belong to the program.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace

std::string_view HttpServerRequest::header(std::string_view name) const {
  const std::string wanted = ascii_lower(name);
  for (const auto& [key, value] : headers) {
    if (ascii_lower(key) == wanted) return value;
  }
  return {};
}

struct HttpServer::State {
  explicit State(std::shared_ptr<HttpConnections> given)
      : connections(std::move(given)),
        work(asio::make_work_guard(connections->io)),
        strand(asio::make_strand(connections->io)),
        acceptor(strand),
        pause(strand) {}

  Status listen() {
    const HttpServerOptions& options = connections->options;
    const std::string place = quote(options.host) + " port " + std::to_string(options.port);
    error_code error;
    tcp::resolver resolver(connections->io);
    const auto found =
        resolver.resolve(options.host, std::to_string(options.port), tcp::resolver::passive, error);
    if (error || found.empty()) {
      return make_error(
          ErrorKind::kInvalidArgument, "serve",
          "host: found " + quote(options.host) + ", expected an address of this machine");
    }
    const tcp::endpoint endpoint = found.begin()->endpoint();
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (!error) port = acceptor.local_endpoint(error).port();
    if (error == boost::system::errc::address_not_available) {
      return make_error(
          ErrorKind::kInvalidArgument, "serve",
          "host: found " + quote(options.host) + ", expected an address of this machine");
    }
    if (error) {
      return make_error(
          ErrorKind::kIo, "serve",
          "listening: found " + place + " refused (" + error.message() + "), expected a free port");
    }
    return {};
  }

  Status run_threads() {
    const SignalsBlocked blocked;
    try {
      for (int i = 0; i < connections->options.threads; ++i) {
        threads.emplace_back([this] {
          for (;;) {
            try {
              connections->io.run();
              return;
            } catch (...) {  // out of memory: that connection is lost, the others go on
            }
          }
        });
      }
    } catch (const std::system_error& error) {
      return make_error(ErrorKind::kIo, "serve", std::string("network threads: ") + error.what());
    }
    return {};
  }

  void accept() {
    acceptor.async_accept(asio::make_strand(connections->io),
                          [this](error_code error, tcp::socket socket) {
                            if (!acceptor.is_open()) return;
                            if (error) {
                              pause.expires_after(kAcceptPause);
                              pause.async_wait([this](error_code stopped) {
                                if (!stopped && acceptor.is_open()) accept();
                              });
                              return;
                            }
                            add(std::move(socket));
                            accept();
                          });
  }

  void add(tcp::socket socket) {
    // OpenSSL keeps what a connection needs of the context.
    const auto tls = connections->tls();
    const auto connection = std::make_shared<HttpConnection>(
        connections, tls != nullptr ? tls_transport(std::move(socket), *tls)
                                    : plain_transport(std::move(socket)));
    const std::size_t limit = connections->options.max_connections;
    if (connections->add(connection, limit)) {
      connection->start();
    } else if (tls == nullptr && connections->add(connection, limit + kMaxRefused)) {
      // Within TLS the answer would cost a handshake.
      connection->refuse();
    }
  }

  void stop_accepting() {
    asio::post(strand, [this] {
      error_code ignored;
      acceptor.close(ignored);
      pause.cancel();
    });
  }

  std::shared_ptr<HttpConnections> connections;
  asio::executor_work_guard<asio::io_context::executor_type> work;
  asio::strand<asio::io_context::executor_type> strand;
  tcp::acceptor acceptor;
  asio::steady_timer pause;
  std::vector<std::thread> threads;
  std::uint16_t port = 0;
};

Result<std::unique_ptr<HttpServer>> HttpServer::start(const HttpServerOptions& options,
                                                      HttpHandler handler,
                                                      HttpErrorBody error_body) {
  LLMPATCH_TRY(check(options));
  LLMPATCH_TRY(allow_descriptors(options.max_connections));
  std::shared_ptr<asio::ssl::context> tls;
  if (!options.certificate.empty()) {
    LLMPATCH_ASSIGN(tls, make_tls_context(options.certificate, options.key));
  }
  auto state = std::make_unique<State>(std::make_shared<HttpConnections>(
      options, std::move(handler), std::move(error_body), std::move(tls)));
  LLMPATCH_TRY(state->listen());
  std::unique_ptr<HttpServer> server(new HttpServer(std::move(state)));
  server->state_->accept();
  LLMPATCH_TRY(server->state_->run_threads());
  return server;
}

HttpServer::HttpServer(std::unique_ptr<State> state) : state_(std::move(state)) {}

HttpServer::~HttpServer() { stop(); }

std::uint16_t HttpServer::port() const { return state_->port; }

std::size_t HttpServer::connections() const { return state_->connections->count(); }

Result<std::shared_ptr<asio::ssl::context>> HttpServer::read_tls(
    const std::filesystem::path& certificate, const std::filesystem::path& key) const {
  const bool has_tls = state_->connections->tls() != nullptr;
  if (has_tls == certificate.empty()) {
    return make_error(ErrorKind::kInvalidArgument, "serve",
                      has_tls ? "TLS: found no certificate, for a server that was started with one"
                              : "TLS: found a certificate, for a server that was started without",
                      "start it again");
  }
  if (!has_tls) return std::shared_ptr<asio::ssl::context>();
  LLMPATCH_ASSIGN(std::shared_ptr<asio::ssl::context> tls, make_tls_context(certificate, key));
  return tls;
}

void HttpServer::use_tls(std::shared_ptr<asio::ssl::context> tls) {
  state_->connections->set_tls(std::move(tls));
}

void HttpServer::stop_accepting() {
  state_->stop_accepting();
  state_->connections->drain_all();
}

void HttpServer::stop() {
  if (state_->threads.empty()) return;
  state_->stop_accepting();
  state_->connections->draining = true;
  state_->connections->close_all();
  state_->work.reset();
  for (std::thread& thread : state_->threads) thread.join();
  state_->threads.clear();
}

}  // namespace llmpatch
