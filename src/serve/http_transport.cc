#include "serve/http_transport.h"

#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <utility>

namespace llmpatch {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

void shut_down_sending(tcp::socket& socket) {
  error_code ignored;  // the client may be gone already
  socket.shutdown(tcp::socket::shutdown_send, ignored);
}

class PlainTransport : public HttpTransport {
 public:
  explicit PlainTransport(tcp::socket socket) : socket_(std::move(socket)) {}

  void handshake(Done done) override { done({}); }
  void read(asio::mutable_buffer buffer, Moved moved) override {
    socket_.async_read_some(buffer, std::move(moved));
  }
  void write(asio::const_buffer bytes, Moved moved) override {
    asio::async_write(socket_, bytes, std::move(moved));
  }
  void end_writing(std::function<void()> done) override {
    shut_down_sending(socket_);
    done();
  }
  tcp::socket& socket() override { return socket_; }

 private:
  tcp::socket socket_;
};

class TlsTransport : public HttpTransport {
 public:
  TlsTransport(tcp::socket socket, asio::ssl::context& context)
      : stream_(std::move(socket), context) {}

  void handshake(Done done) override {
    stream_.async_handshake(asio::ssl::stream_base::server, std::move(done));
  }
  void read(asio::mutable_buffer buffer, Moved moved) override {
    stream_.async_read_some(buffer, [moved = std::move(moved)](error_code error, std::size_t size) {
      // Many clients leave without TLS's own farewell. Lengths and chunks say where a request ends,
      // so nothing can be cut off unseen.
      if (error == asio::ssl::error::stream_truncated) error = asio::error::eof;
      moved(error, size);
    });
  }
  void write(asio::const_buffer bytes, Moved moved) override {
    asio::async_write(stream_, bytes, std::move(moved));
  }
  void end_writing(std::function<void()> done) override {
    // Waits for the client's farewell as well; a client that does not answer costs the caller's
    // deadline.
    stream_.async_shutdown([this, done = std::move(done)](error_code) {
      shut_down_sending(stream_.next_layer());
      done();
    });
  }
  tcp::socket& socket() override { return stream_.next_layer(); }

 private:
  asio::ssl::stream<tcp::socket> stream_;
};

}  // namespace

std::unique_ptr<HttpTransport> plain_transport(tcp::socket socket) {
  return std::make_unique<PlainTransport>(std::move(socket));
}

std::unique_ptr<HttpTransport> tls_transport(tcp::socket socket, asio::ssl::context& context) {
  return std::make_unique<TlsTransport>(std::move(socket), context);
}

}  // namespace llmpatch
