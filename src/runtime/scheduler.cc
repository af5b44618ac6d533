#include "runtime/scheduler.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

namespace llmpatch {
namespace {

// Tokens that tell how a prompt opens.
constexpr std::size_t kOpening = 8;

}  // namespace

Scheduler::Scheduler(Context& context, std::vector<Root> roots, std::vector<Job> jobs,
                     const SchedulerOptions& options)
    : context_(context),
      roots_(std::move(roots)),
      jobs_(std::move(jobs)),
      options_(options),
      used_cells_(options.used_cells) {
  const auto limit = static_cast<llama_seq_id>(context.options().sequences);
  for (llama_seq_id id = limit; id-- > options.first_sequence;) free_sequences_.push_back(id);
  find_shared();
}

// The jobs behind `root` whose prompts open as most do: one with a system message of its own must
// not take the common opening from all others.
std::vector<std::size_t> Scheduler::commonest_opening(std::size_t root) const {
  std::map<Tokens, std::vector<std::size_t>> openings;
  for (std::size_t job = 0; job < jobs_.size(); ++job) {
    const Tokens& prompt = jobs_[job].prompt;
    if (jobs_[job].root != root) continue;
    const auto end =
        prompt.begin() + static_cast<std::ptrdiff_t>(std::min(kOpening, prompt.size()));
    openings[Tokens(prompt.begin(), end)].push_back(job);
  }
  std::vector<std::size_t> most;
  for (auto& [opening, jobs] : openings) {
    if (jobs.size() > most.size()) most = std::move(jobs);
  }
  return most;
}

void Scheduler::find_shared() {
  common_.assign(jobs_.size(), -1);
  group_.assign(jobs_.size(), -1);
  for (std::size_t root = 0; root < roots_.size(); ++root) {
    const std::vector<std::size_t> members = commonest_opening(root);
    if (members.size() < 2) continue;
    const Tokens& first = jobs_[members[0]].prompt;
    std::size_t common = first.size();
    std::size_t shortest = first.size();
    for (const std::size_t job : members) {
      const Tokens& prompt = jobs_[job].prompt;
      const auto end = first.begin() + static_cast<std::ptrdiff_t>(std::min(common, prompt.size()));
      common = static_cast<std::size_t>(std::mismatch(first.begin(), end, prompt.begin()).first -
                                        first.begin());
      shortest = std::min(shortest, prompt.size());
    }
    // A job's last prompt token is its own, since its logits are.
    common = std::min(common, shortest - 1);
    if (common == 0) continue;
    Shared shared;
    shared.root = root;
    shared.source = members[0];
    shared.end = common;
    shared.users = members.size();
    for (const std::size_t job : members) common_[job] = static_cast<int>(shared_.size());
    shared_.push_back(std::move(shared));
  }
  for (std::size_t begin = 0; begin < jobs_.size();) {
    std::size_t end = begin + 1;
    while (end < jobs_.size() && jobs_[end].root == jobs_[begin].root &&
           jobs_[end].prompt == jobs_[begin].prompt) {
      ++end;
    }
    if (end - begin > 1) {
      Shared shared;
      shared.root = jobs_[begin].root;
      shared.parent = common_[begin];
      shared.source = begin;
      shared.begin = shared.parent < 0 ? 0 : shared_[static_cast<std::size_t>(shared.parent)].end;
      shared.end = jobs_[begin].prompt.size();
      shared.keeps_logits = true;
      shared.users = end - begin;
      for (std::size_t job = begin; job < end; ++job)
        group_[job] = static_cast<int>(shared_.size());
      shared_.push_back(std::move(shared));
    }
    begin = end;
  }
}

// Where the prompt tokens begin that a job decodes itself.
std::size_t Scheduler::shared_end(std::size_t job) const {
  const int shared = group_[job] >= 0 ? group_[job] : common_[job];
  return shared < 0 ? 0 : shared_[static_cast<std::size_t>(shared)].end;
}

std::size_t Scheduler::own_cells(std::size_t job) const {
  return jobs_[job].prompt.size() - shared_end(job) + jobs_[job].tail.size() + jobs_[job].growth;
}

Status Scheduler::check_fits() const {
  std::size_t beginnings = 0;
  std::size_t beginnings_count = 0;
  for (const Shared& shared : shared_) {
    if (shared.keeps_logits) continue;
    beginnings += shared.size();
    ++beginnings_count;
  }
  for (std::size_t job = 0; job < jobs_.size(); ++job) {
    std::size_t cells = options_.used_cells + beginnings + own_cells(job);
    if (group_[job] >= 0) cells += shared_[static_cast<std::size_t>(group_[job])].size();
    if (cells > context_.options().cells) {
      return make_error(ErrorKind::kLimit, "runtime",
                        "request " + std::to_string(job + 1) + ": needs " + std::to_string(cells) +
                            " cells of the KV cache with what is shared, which has " +
                            std::to_string(context_.options().cells),
                        "shorten it or give the cache more tokens");
    }
  }
  if (free_sequences_.size() < beginnings_count + 2) {
    return make_error(ErrorKind::kLimit, "runtime",
                      "sequences: " + std::to_string(options_.first_sequence) +
                          " prefixes leave none free of " +
                          std::to_string(context_.options().sequences),
                      "use fewer prefixes or stacks in one run");
  }
  return {};
}

bool Scheduler::admit_next() {
  if (next_job_ == jobs_.size() || active_.size() >= options_.max_jobs) return false;
  const std::size_t job = next_job_;
  std::size_t cells = own_cells(job);
  std::size_t sequences = 1;
  const auto closed = [&](int index) {
    return index >= 0 && shared_[static_cast<std::size_t>(index)].sequence < 0;
  };
  for (const int index : {common_[job], group_[job]}) {
    if (!closed(index)) continue;
    cells += shared_[static_cast<std::size_t>(index)].size();
    ++sequences;
  }
  if (used_cells_ + cells > context_.options().cells || free_sequences_.size() < sequences) {
    return false;
  }
  for (const int index : {common_[job], group_[job]}) {
    if (closed(index)) open(shared_[static_cast<std::size_t>(index)]);
  }
  used_cells_ += own_cells(job);
  active_.push_back({job, free_sequences_.back(), own_cells(job)});
  active_.back().next = shared_end(job);
  free_sequences_.pop_back();
  ++next_job_;
  return true;
}

void Scheduler::open(Shared& shared) {
  used_cells_ += shared.size();
  shared.sequence = free_sequences_.back();
  free_sequences_.pop_back();
}

void Scheduler::release(int index) {
  if (index < 0) return;
  Shared& shared = shared_[static_cast<std::size_t>(index)];
  if (--shared.users > 0) return;
  context_.remove(shared.sequence);
  free_sequences_.push_back(shared.sequence);
  used_cells_ -= shared.size();
  shared.logits = {};
}

void Scheduler::copy_root(std::size_t root, llama_seq_id to) {
  for (const llama_seq_id from : roots_[root].sequences) context_.copy(from, to);
}

bool Scheduler::room() const { return batch_.size() < context_.options().batch; }

void Scheduler::fill_shared(std::size_t index) {
  Shared& shared = shared_[index];
  if (shared.parent >= 0) {
    const auto parent = static_cast<std::size_t>(shared.parent);
    if (!shared_[parent].ready()) return fill_shared(parent);
    if (shared.queued == 0 && room()) context_.copy(shared_[parent].sequence, shared.sequence);
  } else if (shared.queued == 0 && room()) {
    copy_root(shared.root, shared.sequence);
  }
  if (shared.queued < shared.size() && room() && shared.queued == shared.done) {
    queued_shared_.push_back(index);
  }
  const Tokens& prompt = jobs_[shared.source].prompt;
  while (shared.queued < shared.size() && room()) {
    const std::size_t i = shared.begin + shared.queued;
    const bool last = shared.queued + 1 == shared.size() && shared.keeps_logits;
    if (last && batch_.outputs() >= context_.options().outputs) return;
    const std::int32_t entry = batch_.add(
        prompt[i], roots_[shared.root].next + static_cast<llama_pos>(i), shared.sequence, last);
    if (last) outputs_.push_back({true, index, entry});
    ++shared.queued;
    ++prompt_tokens_;
  }
}

void Scheduler::fill_job(std::size_t index) {
  Active& active = active_[index];
  const Job& job = jobs_[active.job];
  if (!active.started) {
    const int source = group_[active.job] >= 0 ? group_[active.job] : common_[active.job];
    if (source >= 0) {
      const Shared& shared = shared_[static_cast<std::size_t>(source)];
      if (!shared.ready()) return fill_shared(static_cast<std::size_t>(source));
      context_.copy(shared.sequence, active.sequence);
      active.started = true;
      if (shared.keeps_logits) give(active, shared.logits);
    } else {
      copy_root(job.root, active.sequence);
      active.started = true;
    }
  }
  while (!active.finished && active.next < job.prompt.size() + job.tail.size() && room()) {
    const std::size_t i = active.next;
    const bool in_prompt = i < job.prompt.size();
    const bool output = i + 1 >= job.prompt.size();
    if (output && batch_.outputs() >= context_.options().outputs) return;
    const Token token = in_prompt ? job.prompt[i] : job.tail[i - job.prompt.size()];
    const std::int32_t entry = batch_.add(token, roots_[job.root].next + static_cast<llama_pos>(i),
                                          active.sequence, output);
    if (output) outputs_.push_back({false, index, entry});
    if (in_prompt) ++prompt_tokens_;
    ++active.next;
  }
}

void Scheduler::fill() {
  batch_.clear();
  outputs_.clear();
  queued_shared_.clear();
  for (std::size_t i = 0; i < active_.size() && room(); ++i) fill_job(i);
}

void Scheduler::give(Active& active, std::span<const float> logits) {
  Job& job = jobs_[active.job];
  const auto token = (*handler_)(active.job, active.outputs, logits);
  ++active.outputs;
  if (token) {
    job.tail.push_back(*token);
  } else if (active.outputs > job.tail.size()) {
    active.finished = true;
  }
}

Status Scheduler::step() {
  fill();
  if (batch_.size() == 0) return {};
  LLMPATCH_TRY(context_.decode(batch_));
  for (const std::size_t index : queued_shared_) shared_[index].done = shared_[index].queued;
  for (const Output& output : outputs_) {
    const std::span<const float> logits = context_.logits(output.entry);
    if (logits.empty()) {
      return make_error(ErrorKind::kInternal, "runtime", "decode: libllama gave no logits");
    }
    if (output.shared) {
      shared_[output.index].logits.assign(logits.begin(), logits.end());
    } else {
      give(active_[output.index], logits);
    }
  }
  return {};
}

Status Scheduler::run(const Handler& handler, const CancelFlag* cancel, const Notify& admitted,
                      const Notify& finished) {
  handler_ = &handler;
  LLMPATCH_TRY(check_fits());
  while (next_job_ < jobs_.size() || !active_.empty()) {
    LLMPATCH_TRY(check_cancelled(cancel, "runtime"));
    while (admit_next()) admitted(active_.back().job);
    LLMPATCH_TRY(step());
    const std::size_t before = active_.size();
    retire(finished);
    if (batch_.size() == 0 && active_.size() == before) {
      return make_error(ErrorKind::kInternal, "runtime", "scheduler: no job can go on");
    }
  }
  return {};
}

void Scheduler::retire(const Notify& finished) {
  for (const Active& active : active_) {
    if (!active.finished) continue;
    used_cells_ -= active.cells;
    context_.remove(active.sequence);
    free_sequences_.push_back(active.sequence);
    release(group_[active.job]);
    release(common_[active.job]);
    finished(active.job);
  }
  std::erase_if(active_, [](const Active& active) { return active.finished; });
}

}  // namespace llmpatch
