// A learning run on disk: one file a stage, the settings each was made with, metrics and timings.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace llmpatch {

// A stage and everything its result depends on.
struct StageRecord {
  std::string name;                 // "samples"
  std::vector<std::string> inputs;  // names of earlier stages
  Json settings;                    // flat object
  std::vector<std::string> files;   // it leaves in the run directory
};

// Not thread-safe; one process at a time (held by a lock file).
class RunDirectory {
 public:
  // Makes or opens the directory and locks it. kInvalidArgument when `path` is something else than
  // a run directory, kLimit when another process holds it, kCorrupt for a broken settings.json.
  static Result<RunDirectory> open(const std::filesystem::path& path);
  RunDirectory(RunDirectory&& other) noexcept;
  RunDirectory& operator=(RunDirectory&&) = delete;
  ~RunDirectory();

  // Runs that differ in their later stages need not make the earlier ones again: from now on a
  // finished stage's files are copied to a folder of their key under `folder`, and adopt() takes
  // those it finds there. Its files are trusted as those of a run directory are. kInvalidArgument
  // when `folder` is something else than a folder, kIo.
  Status share(const std::filesystem::path& folder);

  std::filesystem::path file(const std::string& name) const { return path_ / name; }

  // Keeps `about` beside the stages: what another run needs to know of this one (run_record.h).
  Status describe(Json about);
  // The whole settings.json of a run directory that nobody holds: {stages, seconds, about}.
  // kNotFound and the errors of reading a file; kCorrupt for what is no JSON object.
  static Result<Json> read_settings(const std::filesystem::path& path, std::string_view what);

  // Compares the stages (in order) with what the directory was made with, removes the files of
  // every stage whose settings or inputs changed, and records the new ones. A stage of this key
  // that another run shared is done. Returns a line for each changed setting: "sft.peak: 0.01 ->
  // 0.005 (redoing sft, dpo)".
  Result<std::vector<std::string>> adopt(const std::vector<StageRecord>& stages);

  // A digest of a stage's settings and all its inputs: what its file is bound to.
  std::string key(const std::string& stage) const;
  bool done(const std::string& stage) const;
  Status set_done(const std::string& stage);

  // metrics.jsonl: append a line; drop lines of `stage` after `step` (-1: all of its lines).
  Status log(const std::string& line);
  Status rewind_metrics(const std::string& stage, std::int64_t step);

  // Seconds spent per stage, over all runs of the program, in order of first use.
  Status add_seconds(const std::string& stage, double seconds);
  // Runs `work`, adding its wall-clock time to `stage` even when it fails.
  template <class Work>
  Status timed(const std::string& stage, Work work) {
    const auto start = std::chrono::steady_clock::now();
    Status status = work();
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
    const Status saved = add_seconds(stage, spent.count());
    return status.ok() ? saved : status;
  }
  const std::vector<std::pair<std::string, double>>& seconds() const { return seconds_; }

 private:
  RunDirectory(std::filesystem::path path, int lock) : path_(std::move(path)), lock_(lock) {}
  Status save() const;
  // One stage's files from, and to, the folder of shared ones.
  Result<bool> take_shared(const StageRecord& stage) const;
  Status give_shared(const std::string& stage) const;
  std::filesystem::path path_, shared_;
  int lock_ = -1;
  Json about_ = Json::object();
  Json stages_ = Json::object();                           // name -> {settings, key, done}
  std::map<std::string, std::vector<std::string>> files_;  // of each stage
  std::vector<std::pair<std::string, double>> seconds_;
};

}  // namespace llmpatch
