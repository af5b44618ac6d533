#include "serve/channel_watch.h"

#include <utility>

namespace llmpatch {

ChannelWatch::ChannelWatch(const Patches& patches, RegistryOptions server, RequestLog& log,
                           Metrics& metrics, std::function<void()> changed)
    : patches_(patches),
      server_(std::move(server)),
      log_(log),
      metrics_(metrics),
      changed_(std::move(changed)) {
  server_.http.cancel = &stopping_;
}

void ChannelWatch::start(std::chrono::milliseconds interval) {
  thread_ = std::thread([this, interval] { run(interval); });
}

void ChannelWatch::stop() {
  stopping_.raise();
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  wakes_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void ChannelWatch::run(std::chrono::milliseconds interval) {
  std::unique_lock lock(mutex_);
  do {
    lock.unlock();
    update();
    lock.lock();
  } while (!wakes_.wait_for(lock, interval, [&] { return ends_; }));
}

void ChannelWatch::update() {
  const std::shared_ptr<const PatchSources> sources = patches_.sources();
  bool has_changed = false;
  const auto update_all = [&]() -> Status {
    UpdateOptions options;
    LLMPATCH_ASSIGN(options.install.trust, sources->trust());
    options.install.activate = true;
    options.server = server_;
    StoreOptions opened;
    opened.who = "serve: update";
    LLMPATCH_ASSIGN(Store store, Store::open(sources->store, opened));
    LLMPATCH_ASSIGN(const std::vector<Subscription> subscriptions, store.subscriptions());
    for (const Subscription& subscription : subscriptions) {
      if (stopping_.raised()) return {};
      has_changed = update_one(store, subscription, options) || has_changed;
    }
    return {};
  };
  const Status status = update_all();
  if (!status.ok()) {
    note_failure("", status.error());
  } else {
    failures_.erase("");
  }
  if (has_changed) changed_();
}

bool ChannelWatch::update_one(Store& store, const Subscription& subscription,
                              const UpdateOptions& options) {
  const Result<UpdateReport> report = update_channel(store, subscription, options);
  if (!report.ok()) {
    note_failure(subscription.url, report.error());
    return false;
  }
  OrderedJson installed = OrderedJson::array(), revoked = OrderedJson::array();
  for (const auto* changes : {&report->installed, &report->renewed}) {
    for (const Change& change : *changes) {
      installed.push_back(change.patch.name + "@" + change.patch.version);
    }
  }
  for (const RevokedPatch& patch : report->revoked) revoked.push_back(patch.title);
  const bool is_news = !installed.empty() || !revoked.empty();
  if (is_news) {
    log_.write("update",
               {{"outcome", "done"},
                {"channel", subscription.url},
                {"version", report->version},
                {"installed", std::move(installed)},
                {"revoked", std::move(revoked)},
                {"notes", report->notes}},
               true);
  }
  if (report->errors.empty()) {
    failures_.erase(subscription.url);
    metrics_.count_update(true);
  } else {
    note_failure(subscription.url, report->errors.front());
  }
  return is_news;
}

void ChannelWatch::note_failure(const std::string& channel, const Error& error) {
  if (error.kind == ErrorKind::kCancelled) return;
  metrics_.count_update(false);
  std::string& last = failures_[channel];
  if (std::exchange(last, error.message) == error.message) return;
  log_.write("update", {{"outcome", "failed"}, {"channel", channel}, {"error", error.message}},
             true);
}

}  // namespace llmpatch
