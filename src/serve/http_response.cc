#include "serve/http_response.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

namespace llmpatch {
namespace {

void call(const std::function<void()>& function) {
  if (!function) return;
  try {
    function();
  } catch (...) {  // the handler's, which has no one to tell
  }
}

bool has_body(int status) { return status >= 200 && status != 204 && status != 304; }

}  // namespace

// Functions of the handler are called and destroyed with the mutex free: what they hold may be the
// last owner of the exchange, whose end comes back here. Each is moved to a local variable that is
// declared before the lock.

HttpResponse::HttpResponse(const HttpResponseForm& form, std::function<void()> wake)
    : form_(form), wake_(std::move(wake)), keep_alive_(form.keep_alive) {}

void HttpResponse::respond(int status, const HttpHeaders& headers, const std::string& body) {
  std::function<void()> unused;
  const std::lock_guard lock(mutex_);
  if (phase_ != Phase::kNew) return;
  const bool with_body = has_body(status);
  write_head(status, headers, with_body ? HttpFraming::kLength : HttpFraming::kNone, body.size());
  if (phase_ == Phase::kStreaming) {
    if (with_body && !form_.bodyless) add(body);
    phase_ = Phase::kEnded;
  }
  unused.swap(gone_function_);
  wake();
}

void HttpResponse::begin(int status, const HttpHeaders& headers) {
  const std::lock_guard lock(mutex_);
  if (phase_ != Phase::kNew) return;
  if (!has_body(status)) {
    write_head(status, headers, HttpFraming::kNone, 0);
  } else if (form_.http11) {
    write_head(status, headers, HttpFraming::kChunked, 0);
  } else {
    keep_alive_ = false;
    write_head(status, headers, HttpFraming::kUntilClose, 0);
  }
  wake();
}

void HttpResponse::write(const std::string& piece) {
  const std::lock_guard lock(mutex_);
  // An empty chunk would be the last.
  if (phase_ != Phase::kStreaming || piece.empty() || form_.bodyless || !wake_) return;
  if (framing_ == HttpFraming::kChunked) {
    std::array<char, 24> size{};
    const int digits = std::snprintf(size.data(), size.size(), "%zx\r\n", piece.size());
    bytes_.append(size.data(), static_cast<std::size_t>(digits)).append(piece).append("\r\n");
    unsent_ += static_cast<std::size_t>(digits) + piece.size() + 2;
  } else if (framing_ == HttpFraming::kUntilClose) {
    add(piece);
  }
  if (unsent_ > form_.max_unsent) {
    phase_ = Phase::kBroken;
    bytes_ = {};
  }
  wake();
}

void HttpResponse::end() {
  std::function<void()> unused;
  const std::lock_guard lock(mutex_);
  if (phase_ != Phase::kStreaming) return;
  if (framing_ == HttpFraming::kChunked && !form_.bodyless && wake_) add("0\r\n\r\n");
  phase_ = Phase::kEnded;
  unused.swap(gone_function_);
  wake();
}

void HttpResponse::on_gone(std::function<void()> gone) {
  {
    const std::lock_guard lock(mutex_);
    if (phase_ == Phase::kEnded) return;
    if (!gone_) {
      gone_function_.swap(gone);
      return;
    }
  }
  call(gone);
}

void HttpResponse::abandon() {
  std::function<void()> unused;
  const std::lock_guard lock(mutex_);
  if (phase_ == Phase::kEnded) return;
  phase_ = Phase::kBroken;
  unused.swap(gone_function_);
  wake();
}

HttpResponse::State HttpResponse::take(std::string& bytes) {
  const std::lock_guard lock(mutex_);
  woken_ = false;
  if (phase_ == Phase::kBroken) return State::kBroken;
  bytes.append(bytes_);
  bytes_.clear();
  return phase_ == Phase::kEnded ? State::kWhole : State::kOpen;
}

void HttpResponse::sent(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  unsent_ -= std::min(bytes, unsent_);
}

bool HttpResponse::keep_alive() const {
  const std::lock_guard lock(mutex_);
  return keep_alive_;
}

void HttpResponse::close_after() {
  const std::lock_guard lock(mutex_);
  if (phase_ == Phase::kNew) keep_alive_ = false;
}

void HttpResponse::detach(bool gone) {
  std::function<void()> wake, function;
  bool tell = false;
  {
    const std::lock_guard lock(mutex_);
    wake.swap(wake_);
    bytes_ = {};
    function.swap(gone_function_);
    gone_ = gone;
    tell = gone && phase_ != Phase::kEnded;
  }
  if (tell) call(function);
}

void HttpResponse::write_head(int status, const HttpHeaders& headers, HttpFraming framing,
                              std::size_t length) {
  framing_ = framing;
  phase_ = Phase::kStreaming;
  if (auto head = http_response_head(status, headers, framing, length, keep_alive_)) {
    add(*head);
    return;
  }
  // The handler asked for what cannot be sent; what it says further belongs to no answer.
  keep_alive_ = false;
  add(http_response_head(500, {}, HttpFraming::kLength, 0, false).value_or(""));
  phase_ = Phase::kEnded;
}

void HttpResponse::add(const std::string& bytes) {
  bytes_.append(bytes);
  unsent_ += bytes.size();
}

void HttpResponse::wake() {
  if (woken_ || !wake_) return;
  woken_ = true;
  wake_();
}

}  // namespace llmpatch
