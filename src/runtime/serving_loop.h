// What the decode thread of a serving engine does: lets requests in, fills batches, hands out
// tokens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <vector>

#include "runtime/context.h"
#include "runtime/running_request.h"
#include "runtime/sequence_pool.h"
#include "runtime/serving_engine.h"
#include "runtime/serving_job.h"
#include "runtime/tenant_queue.h"

namespace llmpatch {

struct LoopOptions {
  std::size_t max_running = 1;
  std::size_t prefill_tokens = 256;  // of prompts in a batch that decodes answers, too
  bool reuse = true;                 // whether sequences of this model can be copied in part
  PoolOptions pool;
};

// Not thread-safe. Calls the sinks of its jobs.
class ServingLoop {
 public:
  ServingLoop(const Model& model, Context& context, const LoopOptions& options);

  void add(std::unique_ptr<ServingJob> job);
  // Ends what waits or runs under these ids with kCancelled.
  void cancel(const std::set<RequestId>& ids);
  void cancel_all();
  // Frees what only retired prefixes need.
  void drop_retired() { pool_.drop_retired(); }

  // Ends what is late, lets in what has room, and decodes one batch: a token of every answer, and
  // as many prompt tokens as may go along. Of these the oldest prompt gets at least half, so that
  // it advances whatever comes; the rest goes to the shortest, so that they need not wait for long
  // ones.
  void step();

  bool idle() const { return running_.empty() && queue_.empty(); }
  const ServingStats& stats() const { return stats_; }
  std::uint64_t ended() const { return ended_; }  // jobs, ever

 private:
  struct Output {
    RunningRequest* request;
    std::size_t index;   // among the tokens of prompt and answer
    std::int32_t entry;  // of the batch
  };

  std::size_t reusable(const ServingJob& job) const;
  void end_late();
  void admit();
  bool catch_up(std::size_t index);
  void fill();
  void fill_prompts(std::size_t budget);
  bool append(RunningRequest& request);
  void decode();
  void retire();
  void refuse(const ServingJob& job, ServingEnd how, std::optional<Error> error = std::nullopt);

  const Model& model_;
  Context& context_;
  LoopOptions options_;
  SequencePool pool_;
  ChooserScratch scratch_;
  TenantQueue<std::unique_ptr<ServingJob>> queue_;
  std::vector<std::unique_ptr<RunningRequest>> running_;  // in the order of admission
  TokenBatch batch_;
  std::vector<Output> outputs_;
  std::vector<RunningRequest*> batched_;  // with tokens in batch_
  ServingStats stats_;
  std::uint64_t ended_ = 0;
};

}  // namespace llmpatch
