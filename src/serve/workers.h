// Threads that do what network and decode threads must not wait for. Internal to serve/.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/tenant_queue.h"

namespace llmpatch {

// Thread-safe. Tenants take turns; tasks of one begin in the order they came.
class Workers {
 public:
  explicit Workers(int threads);
  ~Workers() { close(); }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // After close() a task is dropped.
  void post(std::function<void()> task) { post({}, std::move(task)); }
  void post(std::string_view tenant, std::function<void()> task);
  // Does what was posted before, and ends. Idempotent; not for several threads at a time.
  void close();
  std::size_t waiting() const;

 private:
  void run();

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  TenantQueue<std::function<void()>> tasks_;
  bool closed_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace llmpatch
