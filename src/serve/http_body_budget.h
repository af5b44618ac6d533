// How many bytes of request bodies a server holds at a time, of all connections together.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

namespace llmpatch {

// Thread-safe.
class HttpBodyBudget {
 public:
  explicit HttpBodyBudget(std::size_t limit) : limit_(limit) {}

  bool take(std::size_t bytes) {
    std::size_t taken = taken_;
    do {
      if (bytes > limit_ - taken) return false;
    } while (!taken_.compare_exchange_weak(taken, taken + bytes));
    return true;
  }
  void give_back(std::size_t bytes) { taken_ -= bytes; }

 private:
  const std::size_t limit_;
  std::atomic<std::size_t> taken_{0};
};

// What one request holds of a budget; given back with it. Movable.
class HttpBodyShare {
 public:
  HttpBodyShare() = default;
  explicit HttpBodyShare(std::shared_ptr<HttpBodyBudget> budget) : budget_(std::move(budget)) {}
  ~HttpBodyShare() {
    if (budget_) budget_->give_back(bytes_);
  }
  HttpBodyShare(HttpBodyShare&& other) noexcept
      : budget_(std::move(other.budget_)), bytes_(std::exchange(other.bytes_, 0)) {}
  HttpBodyShare& operator=(HttpBodyShare&& other) noexcept {
    std::swap(budget_, other.budget_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }

  // Whether the share may be so large; it never shrinks.
  bool grow_to(std::size_t bytes) {
    if (bytes <= bytes_) return true;
    if (!budget_->take(bytes - bytes_)) return false;
    bytes_ = bytes;
    return true;
  }

 private:
  std::shared_ptr<HttpBodyBudget> budget_;
  std::size_t bytes_ = 0;
};

}  // namespace llmpatch
