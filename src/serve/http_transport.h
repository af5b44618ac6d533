// The bytes of one connection: plain, or within TLS.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <cstddef>
#include <functional>
#include <memory>

namespace llmpatch {

// Used on the socket's strand alone, where its functions also call back: at once or later, once.
// Must outlive what it has begun. One read and one write may be under way together.
class HttpTransport {
 public:
  using Done = std::function<void(boost::system::error_code)>;
  using Moved = std::function<void(boost::system::error_code, std::size_t)>;

  virtual ~HttpTransport() = default;

  virtual void handshake(Done done) = 0;
  // At least one byte. An orderly end of the client's sending is boost::asio::error::eof.
  virtual void read(boost::asio::mutable_buffer buffer, Moved moved) = 0;
  virtual void write(boost::asio::const_buffer bytes, Moved moved) = 0;  // all of them
  // Tells the client that nothing more will come. Not while a write is under way.
  virtual void end_writing(std::function<void()> done) = 0;

  virtual boost::asio::ip::tcp::socket& socket() = 0;
};

std::unique_ptr<HttpTransport> plain_transport(boost::asio::ip::tcp::socket socket);
// `context` may go before it.
std::unique_ptr<HttpTransport> tls_transport(boost::asio::ip::tcp::socket socket,
                                             boost::asio::ssl::context& context);

}  // namespace llmpatch
