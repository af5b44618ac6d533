#include "serve/http_connection.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "serve/http_connections.h"

namespace llmpatch {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
// What a client may send ahead of an answer, and it is still noticed when it leaves.
constexpr std::size_t kMaxAhead = 64 << 10;
// What has to go in one write timeout: so slow may a client read.
constexpr std::size_t kPiece = 64 << 10;
// How long a client has to see the last answer and to close.
constexpr std::chrono::seconds kLinger{2};

std::string address_of(const tcp::socket& socket) {
  error_code error;
  const auto address = socket.remote_endpoint(error).address();
  if (error) return "";
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).to_string();
  }
  return address.to_string();
}

class Exchange : public HttpExchange {
 public:
  Exchange(HttpServerRequest request, HttpBodyShare body, std::shared_ptr<HttpResponse> response)
      : request_(std::move(request)), body_(std::move(body)), response_(std::move(response)) {}
  ~Exchange() override { response_->abandon(); }

  const HttpServerRequest& request() const override { return request_; }
  void respond(int status, HttpHeaders headers, std::string body) override {
    response_->respond(status, headers, body);
  }
  void begin(int status, HttpHeaders headers) override { response_->begin(status, headers); }
  void write(std::string piece) override { response_->write(piece); }
  void end() override { response_->end(); }
  void on_gone(std::function<void()> gone) override { response_->on_gone(std::move(gone)); }

 private:
  const HttpServerRequest request_;
  const HttpBodyShare body_;
  const std::shared_ptr<HttpResponse> response_;
};

HttpRequestLimits limits_of(const HttpServerOptions& options) {
  HttpRequestLimits limits;
  limits.head = options.max_head;
  limits.target = std::min(limits.target, options.max_head);
  limits.body = options.max_body;
  return limits;
}

}  // namespace

HttpConnection::HttpConnection(std::shared_ptr<HttpConnections> server,
                               std::unique_ptr<HttpTransport> transport)
    : server_(std::move(server)),
      transport_(std::move(transport)),
      peer_(address_of(transport_->socket())),
      deadline_(transport_->socket().get_executor()),
      write_deadline_(transport_->socket().get_executor()) {}

// Posted, never called at once: what is posted from one thread happens in its order.
template <class Work>
void HttpConnection::on_strand(Work work) {
  asio::post(transport_->socket().get_executor(), [self = shared_from_this(), work] {
    if (self->phase_ != Phase::kClosed) work(*self);
  });
}

void HttpConnection::start() {
  on_strand([](HttpConnection& self) { self.handshake(); });
}

void HttpConnection::refuse() {
  on_strand(
      [](HttpConnection& self) { self.turn_away("too many connections", "too_many_connections"); });
}

void HttpConnection::drain() {
  on_strand([](HttpConnection& self) {
    if (self.phase_ == Phase::kHandshake) self.close_now();
    if (self.phase_ == Phase::kHead && !self.begun_) self.finish();
    if (self.response_) self.response_->close_after();
  });
}

void HttpConnection::close() {
  on_strand([](HttpConnection& self) { self.close_now(); });
}

void HttpConnection::handshake() {
  error_code ignored;
  transport_->socket().set_option(tcp::no_delay(true), ignored);
  set_deadline(server_->options.head_timeout);
  transport_->handshake([self = shared_from_this()](error_code error) {
    if (self->phase_ == Phase::kClosed) return;
    if (error) return self->close_now();
    self->next_request(self->server_->options.head_timeout);
  });
}

void HttpConnection::next_request(std::chrono::seconds patience) {
  phase_ = Phase::kHead;
  begun_ = false;
  if (server_->draining && input_.empty()) return finish();
  parser_.emplace(limits_of(server_->options));
  body_ = HttpBodyShare(server_->bodies);
  set_deadline(patience);
  parse();
}

void HttpConnection::parse() {
  if (!begun_ && !input_.empty()) {
    begun_ = true;
    set_deadline(server_->options.head_timeout);
  }
  const HttpRequestParser::State state = parser_->take(input_);
  if (!body_.grow_to(parser_->body_size())) {
    return turn_away("too many bodies at a time", "too_many_bodies");
  }
  switch (state) {
    case HttpRequestParser::State::kHead:
      break;
    case HttpRequestParser::State::kBody:
      if (phase_ == Phase::kBody) break;
      phase_ = Phase::kBody;
      set_deadline(server_->options.body_timeout);
      if (parser_->expects_continue() && input_.empty()) {
        output_.append(kContinue);
        write();
      }
      break;
    case HttpRequestParser::State::kWhole:
      return answer();
    case HttpRequestParser::State::kRefused: {
      const HttpRequestParser::Refusal refusal = parser_->refusal();
      return refuse_now(refusal.status, refusal.message);
    }
  }
  if (input_ended_) return close_now();
  read();
}

void HttpConnection::answer() {
  phase_ = Phase::kAnswer;
  clear_deadline();
  HttpServerRequest request = parser_->request();
  request.peer = peer_;
  http11_ = parser_->http11();
  HttpResponseForm form;
  form.http11 = http11_;
  form.bodyless = request.method == "HEAD";
  form.keep_alive = parser_->keep_alive() && !server_->draining;
  form.max_unsent = server_->options.max_unsent;
  parser_.reset();
  response_begun_ = false;
  response_ = std::make_shared<HttpResponse>(form, [self = shared_from_this()] {
    self->on_strand([](HttpConnection& connection) { connection.write(); });
  });
  if (request.path == "*") {  // OPTIONS of the server itself
    response_->respond(204, {}, "");
  } else {
    try {
      server_->handler(std::make_shared<Exchange>(std::move(request), std::move(body_), response_));
    } catch (...) {  // the exchange is dropped with it, and the connection closed
    }
  }
  if (input_ended_) return find_out_whether_gone();
  read();
}

void HttpConnection::answered() {
  const bool go_on = response_->keep_alive();
  response_->detach(false);
  response_.reset();
  sending_ = {};
  if (!go_on) return finish();
  next_request(server_->options.idle_timeout);
}

void HttpConnection::turn_away(std::string_view message, std::string_view code) {
  // Room comes with the next connection or answer that ends.
  refuse_now(503, message, code, {{"Retry-After", "1"}});
}

void HttpConnection::refuse_now(int status, std::string_view message, std::string_view code,
                                HttpHeaders headers) {
  phase_ = Phase::kRefused;
  clear_deadline();
  parser_.reset();
  body_ = {};
  input_ = {};
  std::string body;
  try {
    body = server_->error_body(status, message, code);
  } catch (...) {  // the status says enough
  }
  headers.emplace_back("Content-Type", "application/json");
  const auto head = http_response_head(status, headers, HttpFraming::kLength, body.size(), false);
  output_.append(head.value_or("")).append(body);
  write();
  read();
}

void HttpConnection::finish() {
  phase_ = Phase::kClosing;
  set_deadline(kLinger);
  transport_->end_writing([self = shared_from_this()] {
    if (self->input_ended_ && self->phase_ != Phase::kClosed) self->close_now();
  });
  read();
}

void HttpConnection::close_now() {
  phase_ = Phase::kClosed;
  clear_deadline();
  write_deadline_.cancel();
  error_code ignored;
  transport_->socket().close(ignored);
  server_->remove(this);
  // Last: the handler is told.
  if (const auto response = std::exchange(response_, nullptr)) response->detach(true);
}

void HttpConnection::read() {
  if (reading_ || input_ended_ || phase_ == Phase::kClosed) return;
  if (phase_ == Phase::kAnswer && input_.size() >= kMaxAhead) return watch_for_reset();
  reading_ = true;
  transport_->read(asio::buffer(buffer_),
                   [self = shared_from_this()](error_code error, std::size_t size) {
                     self->on_read(error, size);
                   });
}

void HttpConnection::on_read(error_code error, std::size_t size) {
  reading_ = false;
  if (phase_ == Phase::kClosed) return;
  if (error) return on_end_of_input(error == asio::error::eof);
  if (phase_ == Phase::kRefused || phase_ == Phase::kClosing) return read();
  input_.append(buffer_.data(), size);
  if (phase_ == Phase::kAnswer) return read();
  parse();
}

void HttpConnection::on_end_of_input(bool orderly) {
  input_ended_ = true;
  if (orderly && phase_ == Phase::kRefused) return;  // finish() follows the answer
  if (orderly && phase_ == Phase::kAnswer) return find_out_whether_gone();
  close_now();
}

void HttpConnection::find_out_whether_gone() {
  if (!http11_) return close_now();
  write();  // an answer that is there already asks as well as a question
  if (!response_begun_ && phase_ == Phase::kAnswer) {
    output_.append(kContinue);
    write();
  }
  watch_for_reset();
}

void HttpConnection::watch_for_reset() {
  if (watching_ || phase_ == Phase::kClosed) return;
  watching_ = true;
  transport_->socket().async_wait(tcp::socket::wait_error,
                                  [self = shared_from_this()](error_code error) {
                                    self->watching_ = false;
                                    if (error || self->phase_ == Phase::kClosed) return;
                                    self->close_now();
                                  });
}

void HttpConnection::write() {
  auto state = HttpResponse::State::kOpen;
  if (response_) {
    const std::size_t before = output_.size();
    state = response_->take(output_);
    response_begun_ = response_begun_ || output_.size() > before;
    if (state == HttpResponse::State::kBroken) return close_now();
  }
  if (writing_) return;
  if (sent_ == sending_.size()) {
    sending_.clear();
    sending_.swap(output_);
    sent_ = 0;
  }
  if (sending_.empty()) {
    if (phase_ == Phase::kRefused) return finish();
    if (state == HttpResponse::State::kWhole) return answered();
    return;
  }
  writing_ = true;
  write_deadline_.expires_after(server_->options.write_timeout);
  write_deadline_.async_wait([self = shared_from_this()](error_code error) {
    if (error || !self->writing_ || self->phase_ == Phase::kClosed) return;
    if (self->write_deadline_.expiry() > std::chrono::steady_clock::now()) return;
    self->close_now();
  });
  const std::size_t size = std::min(kPiece, sending_.size() - sent_);
  transport_->write(asio::buffer(sending_.data() + sent_, size),
                    [self = shared_from_this()](error_code error, std::size_t written) {
                      self->on_written(error, written);
                    });
}

void HttpConnection::on_written(error_code error, std::size_t size) {
  writing_ = false;
  if (phase_ == Phase::kClosed) return;
  if (error) return close_now();
  write_deadline_.cancel();
  sent_ += size;
  if (response_) response_->sent(size);
  write();
}

void HttpConnection::set_deadline(std::chrono::seconds limit) {
  deadline_.expires_after(limit);
  deadline_.async_wait([self = shared_from_this()](error_code error) {
    if (error || self->phase_ == Phase::kClosed) return;
    // A wait that had ended when a later deadline was set.
    if (self->deadline_.expiry() > std::chrono::steady_clock::now()) return;
    self->on_deadline();
  });
}

void HttpConnection::clear_deadline() {
  deadline_.expires_at(asio::steady_timer::time_point::max());
}

void HttpConnection::on_deadline() {
  switch (phase_) {
    case Phase::kHead:
      if (!begun_) return finish();
      return refuse_now(408, "head: took too long");
    case Phase::kBody:
      return refuse_now(408, "body: took too long");
    case Phase::kHandshake:
    case Phase::kClosing:
      return close_now();
    case Phase::kAnswer:
    case Phase::kRefused:
    case Phase::kClosed:
      return;
  }
}

}  // namespace llmpatch
