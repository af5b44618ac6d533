// One connection of the HTTP server: requests one after another, each read, handed on, answered.
#pragma once

#include <array>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "serve/http_body_budget.h"
#include "serve/http_request_parser.h"
#include "serve/http_response.h"
#include "serve/http_transport.h"

namespace llmpatch {

class HttpConnections;

// Owned by what it has under way; registered with the server's HttpConnections until it is closed.
// All of its work happens on the strand of its socket.
//
// While an answer is under way one read stays pending, for the client's leaving is seen in no other
// way. What a client sends ahead is kept up to a limit, and then no longer read.
//
// A client that has ended its sending (TCP's FIN) may have left, or may only have no more to say
// and still wait for its answer: the FIN is the same. What tells them apart is to send something:
// the kernel of a client that has left answers with a reset. So an HTTP/1.1 client is sent one
// "100 Continue", which every client has to overlook, and the connection is watched for the reset.
// Where the answer has begun, its next piece does the same. A client of HTTP/1.0, which knows no
// 100, is taken for gone.
class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  HttpConnection(std::shared_ptr<HttpConnections> server, std::unique_ptr<HttpTransport> transport);

  // From any thread.
  void start();   // serves
  void refuse();  // answers 503 and closes
  void drain();   // closes if it is idle; else after the answer under way
  void close();   // at once

 private:
  enum class Phase {
    kHandshake,
    kHead,     // waits for a request, or reads its head
    kBody,     // reads the body
    kAnswer,   // the handler has the request
    kRefused,  // the server's own answer is being sent, the last one
    kClosing,  // all is sent; reads on until the client closes, that a reset may not overtake it
    kClosed,
  };

  template <class Work>
  void on_strand(Work work);

  void handshake();
  void next_request(std::chrono::seconds patience);
  void parse();
  void answer();
  void answered();
  void refuse_now(int status, std::string_view message, std::string_view code = {},
                  HttpHeaders headers = {});
  // There is no room for it now: 503.
  void turn_away(std::string_view message, std::string_view code);
  void finish();
  void close_now();

  void read();
  void on_read(boost::system::error_code error, std::size_t size);
  void on_end_of_input(bool orderly);
  void find_out_whether_gone();
  void watch_for_reset();

  void write();
  void on_written(boost::system::error_code error, std::size_t size);

  void set_deadline(std::chrono::seconds limit);
  void clear_deadline();
  void on_deadline();

  const std::shared_ptr<HttpConnections> server_;
  const std::unique_ptr<HttpTransport> transport_;
  const std::string peer_;
  Phase phase_ = Phase::kHandshake;
  boost::asio::steady_timer deadline_, write_deadline_;

  std::array<char, 8 << 10> buffer_;
  std::string input_;  // received and not yet parsed
  std::optional<HttpRequestParser> parser_;
  HttpBodyShare body_;
  bool begun_ = false;  // some of the request has come
  bool http11_ = true;
  bool reading_ = false, input_ended_ = false, watching_ = false;

  std::shared_ptr<HttpResponse> response_;
  bool response_begun_ = false;  // some of it is in output_, or has gone
  std::string output_;           // to be sent after sending_
  std::string sending_;          // the first sent_ bytes have gone
  std::size_t sent_ = 0;
  bool writing_ = false;
};

}  // namespace llmpatch
