#include "serve/queue_shares.h"

namespace llmpatch {

Result<std::shared_ptr<QueueShares::Ticket>> QueueShares::take(
    const std::shared_ptr<QueueShares>& self, const std::string& tenant, std::size_t places) {
  const std::lock_guard lock(self->mutex_);
  const std::size_t free = self->places_ - self->taken_;
  if (places > free) {
    return make_error(ErrorKind::kLimit, "serve",
                      "queue: found " + std::to_string(self->taken_) +
                          " answers running and waiting, expected room for " +
                          std::to_string(places) + " of " + std::to_string(self->places_),
                      "try again when some have ended");
  }
  const auto found = self->taken_by_.find(tenant);
  const std::size_t has = found == self->taken_by_.end() ? 0 : found->second;
  if (!tenant.empty() && has > 0 && has + places > free - places) {
    return make_error(ErrorKind::kDenied, "serve",
                      "queue: found " + std::to_string(has) +
                          " answers of this key running and waiting, expected no more than the " +
                          std::to_string(free) + " places that are free for all",
                      "try again when some have ended");
  }
  // Both before anything is counted: they may throw.
  auto ticket = std::make_shared<Ticket>(self, tenant, places);
  self->taken_by_[tenant] += places;
  self->taken_ += places;
  return ticket;
}

void QueueShares::give_back(const std::string& tenant, std::size_t places) {
  const std::lock_guard lock(mutex_);
  taken_ -= places;
  const auto found = taken_by_.find(tenant);
  found->second -= places;
  if (found->second == 0) taken_by_.erase(found);
}

}  // namespace llmpatch
