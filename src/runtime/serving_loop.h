// What the decode thread of a serving engine does: lets requests in, fills batches, hands out
// tokens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <vector>

#include "runtime/cache_pool.h"
#include "runtime/context.h"
#include "runtime/running_request.h"
#include "runtime/serving_engine.h"
#include "runtime/serving_job.h"
#include "runtime/tenant_queue.h"

namespace llmpatch {

struct LoopOptions {
  std::size_t max_running = 1;
  std::size_t prefill_tokens = 256;  // of prompts in a batch that decodes answers, too
  bool reuse = true;                 // whether sequences of this model can be copied in part
};

// Not thread-safe. Calls the sinks of its jobs. The pool has the sequences of the context.
class ServingLoop {
 public:
  ServingLoop(const Model& model, Context& context, CachePool& pool, const LoopOptions& options);

  void add(std::unique_ptr<ServingJob> job);
  // Ends what waits or runs under these ids with kCancelled.
  void cancel(const std::set<RequestId>& ids);
  void cancel_all();
  // Frees what only retired prefixes need.
  void drop_retired() { pool_.drop_retired(); }

  // Ends what is late, lets in what has room and is within its tenant's share, and decodes a token
  // of every answer, and as many prompt tokens as may go along. Of these the oldest prompt gets at
  // least half, so that it advances whatever comes; the rest goes to the shortest, so that they
  // need not wait for long ones.
  void step();

  bool idle() const { return running_.empty() && queue_.empty(); }
  const ServingStats& stats() const { return stats_; }
  std::uint64_t ended() const { return ended_; }  // jobs, ever

 private:
  // What a request decodes in a batch.
  struct Share {
    RunningRequest* request;
    std::size_t tokens;
  };
  struct Output {
    RunningRequest* request;
    std::size_t index;   // among the tokens of prompt and answer
    std::int32_t entry;  // of the batch
  };

  std::size_t reusable(const ServingJob& job) const;
  void end_late();
  void admit();
  bool admit_next();
  bool is_within_share(const ServingJob& job) const;
  OpenRequest wanted(const ServingJob& job) const;
  void compact();
  bool catch_up(std::size_t index);
  void share_out();
  void share_among_prompts(std::size_t budget);
  void decode(std::span<Share> shares);
  void fill(std::span<Share> shares);
  bool append(RunningRequest& request, std::size_t outputs);
  void retire();
  void refuse(const ServingJob& job, ServingEnd how, std::optional<Error> error = std::nullopt);

  const Model& model_;
  Context& context_;
  LoopOptions options_;
  CachePool& pool_;
  ChooserScratch scratch_;
  TenantQueue<std::unique_ptr<ServingJob>> queue_;
  std::vector<std::unique_ptr<RunningRequest>> running_;  // in the order of admission
  std::vector<Share> shares_;                             // answers, then prompts
  std::size_t answers_ = 0;                               // of them
  TokenBatch batch_;
  std::vector<Output> outputs_;
  ServingStats stats_;
  std::uint64_t ended_ = 0;
};

}  // namespace llmpatch
