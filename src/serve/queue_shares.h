// Keeps one tenant from filling a bounded queue: each may have as many places as are left free for
// everybody else. Internal to serve/.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/result.h"

namespace llmpatch {

// Thread-safe. A tenant that has places may take more only while it would not have more than are
// then free. So one alone gets half of the queue, two get a third each, and there is always room
// for one that has none. Nobody is sent away for others: what was taken stays until it is given
// back. The tenant without a name is everybody at once where there are no keys, and is bounded by
// the queue alone.
class QueueShares {
 public:
  // Places that are given back when it goes.
  class Ticket {
   public:
    Ticket(std::shared_ptr<QueueShares> from, std::string tenant, std::size_t places)
        : from_(std::move(from)), tenant_(std::move(tenant)), places_(places) {}
    ~Ticket() { from_->give_back(tenant_, places_); }
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;

   private:
    const std::shared_ptr<QueueShares> from_;
    const std::string tenant_;
    const std::size_t places_;
  };

  static std::shared_ptr<QueueShares> create(std::size_t places) {
    return std::shared_ptr<QueueShares>(new QueueShares(places));
  }

  // Takes `places` at once. kLimit where there are not so many, kDenied where the tenant would have
  // more than its share. `self` is the object itself, which the ticket keeps.
  static Result<std::shared_ptr<Ticket>> take(const std::shared_ptr<QueueShares>& self,
                                              const std::string& tenant, std::size_t places);

 private:
  explicit QueueShares(std::size_t places) : places_(places) {}
  void give_back(const std::string& tenant, std::size_t places);

  const std::size_t places_;
  std::mutex mutex_;
  std::size_t taken_ = 0;
  std::map<std::string, std::size_t> taken_by_;  // none has 0
};

}  // namespace llmpatch
