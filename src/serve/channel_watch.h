// Keeps a store up to date with the channels it follows, by what `llmpatch update` does. Internal
// to serve/.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "base/cancel.h"
#include "distribution/channel_update.h"
#include "serve/metrics.h"
#include "serve/patches.h"
#include "serve/request_log.h"

namespace llmpatch {

// A thread that updates now and then. What failed is logged, and tried again.
class ChannelWatch {
 public:
  // `changed` is called after an update that changed the store. Everything must outlive it.
  ChannelWatch(const Patches& patches, RegistryOptions server, RequestLog& log, Metrics& metrics,
               std::function<void()> changed);
  ~ChannelWatch() { stop(); }
  ChannelWatch(const ChannelWatch&) = delete;
  ChannelWatch& operator=(const ChannelWatch&) = delete;

  // Updates at once, and then every `interval`. Once.
  void start(std::chrono::milliseconds interval);
  // Breaks off what it is doing. Idempotent.
  void stop();

 private:
  void run(std::chrono::milliseconds interval);
  void update();
  bool update_one(Store& store, const Subscription& subscription, const UpdateOptions& options);
  void note_failure(const std::string& channel, const Error& error);

  const Patches& patches_;
  RegistryOptions server_;
  RequestLog& log_;
  Metrics& metrics_;
  const std::function<void()> changed_;
  CancelFlag stopping_;
  std::mutex mutex_;
  std::condition_variable wakes_;
  bool ends_ = false;
  std::map<std::string, std::string> failures_;  // the last of each channel, so as to log it once
  std::thread thread_;
};

}  // namespace llmpatch
