// Continuous batching: decodes many jobs on one context, admitting them in order as room appears
// and decoding what they share once.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/cancel.h"
#include "base/result.h"
#include "runtime/context.h"
#include "runtime/model.h"

namespace llmpatch {

// Cells that are in the cache before the run begins, and what follows them starts at `next`.
struct Root {
  std::vector<llama_seq_id> sequences;  // all are copied into each job behind this root
  llama_pos next = 0;
};

// Tokens to decode behind a root. The first logits given out are those of the last prompt token,
// then those of each token of `tail`.
struct Job {
  std::size_t root = 0;
  Tokens prompt;           // not empty
  Tokens tail;             // known text after it; grows by the tokens the handler returns
  std::size_t growth = 0;  // how many tokens the handler may add
};

struct SchedulerOptions {
  std::size_t max_jobs = 1;         // decoded at the same time
  llama_seq_id first_sequence = 0;  // ids from here up to the context's limit are free to use
  std::size_t used_cells = 0;       // taken by the roots
};

// One run over a list of jobs. Not thread-safe.
//
// What prompts have in common is decoded once: the tokens that all prompts behind one root begin
// with (those that open unlike most of them aside), and the whole prompt of consecutive jobs with
// equal prompts. The order of admission, and so every batch, is a function of the jobs and of what
// the handler returns.
class Scheduler {
 public:
  // Called with the logits of a job's k-th output, in order within a job. A returned token is
  // decoded next; without one the job ends after its tail.
  using Handler = std::function<std::optional<Token>(std::size_t job, std::size_t k,
                                                     std::span<const float> logits)>;
  using Notify = std::function<void(std::size_t job)>;

  Scheduler(Context& context, std::vector<Root> roots, std::vector<Job> jobs,
            const SchedulerOptions& options);

  // kLimit, before anything is decoded, when a job alone does not fit the cache; kCancelled.
  Status run(const Handler& handler, const CancelFlag* cancel, const Notify& admitted,
             const Notify& finished);

  std::uint64_t prompt_tokens() const { return prompt_tokens_; }  // decoded, shared ones once

 private:
  // A prompt, or the beginning of prompts, that several jobs copy.
  struct Shared {
    std::size_t root = 0;
    int parent = -1;        // shared beginning it continues, if any
    std::size_t begin = 0;  // its tokens are [begin, end) of the prompt of job `source`
    std::size_t end = 0;
    std::size_t source = 0;
    bool keeps_logits = false;
    std::size_t users = 0;       // jobs not finished yet
    llama_seq_id sequence = -1;  // while open
    std::size_t queued = 0, done = 0;
    std::vector<float> logits;

    std::size_t size() const { return end - begin; }
    bool ready() const { return done == size(); }
  };
  struct Active {
    std::size_t job;
    llama_seq_id sequence;
    std::size_t cells;        // reserved for it
    bool started = false;     // its sources are copied
    std::size_t next = 0;     // index into prompt + tail of the next token to decode
    std::size_t outputs = 0;  // given to the handler so far
    bool finished = false;
  };
  struct Output {
    bool shared;
    std::size_t index;  // of shared_ or active_
    std::int32_t entry;
  };

  std::vector<std::size_t> commonest_opening(std::size_t root) const;
  void find_shared();
  Status check_fits() const;
  std::size_t own_cells(std::size_t job) const;
  std::size_t shared_end(std::size_t job) const;
  bool admit_next();
  Status step();
  void fill();
  void fill_shared(std::size_t index);
  void fill_job(std::size_t index);
  void copy_root(std::size_t root, llama_seq_id to);
  void open(Shared& shared);
  void release(int shared);
  void give(Active& active, std::span<const float> logits);
  void retire(const Notify& finished);
  bool room() const;

  Context& context_;
  std::vector<Root> roots_;
  std::vector<Job> jobs_;
  SchedulerOptions options_;
  std::vector<Shared> shared_;
  std::vector<int> common_;  // per job: shared beginning of its root, or -1
  std::vector<int> group_;   // per job: shared whole prompt, or -1
  std::vector<llama_seq_id> free_sequences_;
  std::vector<Active> active_;
  std::size_t next_job_ = 0;
  std::size_t used_cells_ = 0;
  TokenBatch batch_;
  std::vector<Output> outputs_;
  std::vector<std::size_t> queued_shared_;  // shared_ with tokens in batch_
  const Handler* handler_ = nullptr;
  std::uint64_t prompt_tokens_ = 0;
};

}  // namespace llmpatch
