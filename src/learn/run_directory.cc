#include "learn/run_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include "base/file.h"
#include "base/join.h"
#include "base/lines.h"
#include "base/sha256.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSettings = "settings.json";
constexpr const char* kMetrics = "metrics.jsonl";
constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 28;
constexpr std::uint64_t kMaxSharedBytes = std::uint64_t{1} << 30;

}  // namespace

Result<RunDirectory> RunDirectory::open(const fs::path& path) {
  std::error_code code;
  if (fs::exists(path, code) && !fs::is_directory(path, code)) {
    return make_error(ErrorKind::kInvalidArgument, "learn",
                      "run directory " + path.string() + ": found a file, expected a directory");
  }
  if (fs::is_directory(path, code) && !fs::is_empty(path, code) &&
      !fs::exists(path / kSettings, code) && !fs::exists(path / "lock", code)) {
    return make_error(
        ErrorKind::kInvalidArgument, "learn",
        "run directory " + path.string() + ": found other files, expected a run or nothing");
  }
  fs::create_directories(path, code);
  if (code) {
    return make_error(ErrorKind::kIo, "learn", "create " + path.string() + ": " + code.message());
  }
  const int lock = ::open((path / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock < 0) {
    return make_error(ErrorKind::kIo, "learn",
                      "open " + (path / "lock").string() + ": " + std::strerror(errno));
  }
  RunDirectory run(path, lock);
  if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
    return make_error(ErrorKind::kLimit, "learn",
                      "run directory " + path.string() + ": another process is learning in it");
  }
  if (fs::exists(path / kSettings, code)) {
    LLMPATCH_ASSIGN(const Json all, read_settings(path, "run settings"));
    run.about_ = all.value("about", Json::object());
    LLMPATCH_ASSIGN(run.stages_, json_object(all, "stages", (path / kSettings).string()));
    LLMPATCH_ASSIGN(const Json seconds, json_array(all, "seconds", (path / kSettings).string()));
    for (const Json& entry : seconds) {
      LLMPATCH_ASSIGN(std::string stage, json_string(entry, "stage", kSettings));
      LLMPATCH_ASSIGN(const double spent, json_number(entry, "seconds", kSettings));
      run.seconds_.emplace_back(std::move(stage), spent);
    }
  }
  return run;
}

RunDirectory::RunDirectory(RunDirectory&& other) noexcept
    : path_(std::move(other.path_)),
      shared_(std::move(other.shared_)),
      lock_(std::exchange(other.lock_, -1)),
      about_(std::move(other.about_)),
      stages_(std::move(other.stages_)),
      files_(std::move(other.files_)),
      seconds_(std::move(other.seconds_)) {}

Result<Json> RunDirectory::read_settings(const fs::path& path, std::string_view what) {
  LLMPATCH_ASSIGN(const std::string text, read_file(path / kSettings, kMaxBytes, what));
  LLMPATCH_ASSIGN(Json all, parse_json(text, (path / kSettings).string()));
  if (!all.is_object()) {
    return make_error(ErrorKind::kCorrupt, "learn",
                      (path / kSettings).string() + ": found no JSON object, expected one");
  }
  return all;
}

Status RunDirectory::describe(Json about) {
  about_ = std::move(about);
  return save();
}

Status RunDirectory::share(const fs::path& folder) {
  std::error_code code;
  if (fs::exists(folder, code) && !fs::is_directory(folder, code)) {
    return make_error(ErrorKind::kInvalidArgument, "learn",
                      "shared stages " + folder.string() + ": found a file, expected a folder");
  }
  fs::create_directories(folder, code);
  if (code) {
    return make_error(ErrorKind::kIo, "learn", "create " + folder.string() + ": " + code.message());
  }
  shared_ = folder;
  return {};
}

Result<bool> RunDirectory::take_shared(const StageRecord& stage) const {
  std::error_code code;
  if (shared_.empty() || !fs::is_directory(shared_ / key(stage.name), code)) return false;
  for (const std::string& file : stage.files) {
    const fs::path from = shared_ / key(stage.name) / file;
    if (!fs::exists(from, code)) continue;  // some stages leave a file only if they need it
    LLMPATCH_ASSIGN(const std::string bytes, read_file(from, kMaxSharedBytes, "shared stage"));
    LLMPATCH_TRY(write_file_atomic(path_ / file, bytes));
  }
  return true;
}

Status RunDirectory::give_shared(const std::string& stage) const {
  std::error_code code;
  const fs::path target = shared_ / key(stage);
  if (shared_.empty() || fs::exists(target, code)) return {};
  LLMPATCH_ASSIGN(StagedDirectory staged, StagedDirectory::create(target, Overwrite::kYes));
  for (const std::string& file : files_.at(stage)) {
    if (!fs::exists(path_ / file, code)) continue;
    fs::copy_file(path_ / file, staged.path() / file, code);
    if (code) {
      return make_error(ErrorKind::kIo, "learn",
                        "copy " + (path_ / file).string() + " to " + staged.path().string() + ": " +
                            code.message());
    }
  }
  return staged.commit();
}

RunDirectory::~RunDirectory() {
  if (lock_ >= 0) ::close(lock_);
}

Status RunDirectory::save() const {
  Json seconds = Json::array();
  for (const auto& [stage, spent] : seconds_)
    seconds.push_back({{"stage", stage}, {"seconds", spent}});
  Json all{{"stages", stages_}, {"seconds", seconds}};
  if (!about_.empty()) all["about"] = about_;
  return write_file_atomic(path_ / kSettings, json_pretty(all));
}

Result<std::vector<std::string>> RunDirectory::adopt(const std::vector<StageRecord>& stages) {
  Json adopted = Json::object();
  std::vector<std::string> changes, redo;
  for (const StageRecord& stage : stages) {
    Json inputs = Json::array();
    for (const std::string& input : stage.inputs) inputs.push_back(adopted[input]["key"]);
    const std::string key =
        sha256_hex(json_line(Json{{"settings", stage.settings}, {"inputs", inputs}}));
    const Json before = stages_.value(stage.name, Json::object());
    bool done = before.value("done", false);
    if (before.value("key", "") != key) {
      done = false;
      if (!before.empty()) redo.push_back(stage.name);
      const Json old = before.value("settings", Json::object());
      for (const auto& [name, value] : stage.settings.items()) {
        if (!before.empty() && old.value(name, Json()) != value) {
          changes.push_back(stage.name + "." + name + ": " + json_line(old.value(name, Json())) +
                            " -> " + json_line(value));
        }
      }
      for (const std::string& file : stage.files) {
        std::error_code code;
        fs::remove(path_ / file, code);
        if (code)
          return make_error(ErrorKind::kIo, "learn",
                            "remove " + (path_ / file).string() + ": " + code.message());
      }
      LLMPATCH_TRY(rewind_metrics(stage.name, -1));
    }
    adopted[stage.name] = {{"settings", stage.settings}, {"key", key}, {"done", done}};
  }
  stages_ = std::move(adopted);
  files_.clear();
  for (const StageRecord& stage : stages) {
    files_[stage.name] = stage.files;
    if (done(stage.name)) continue;
    LLMPATCH_ASSIGN(const bool taken, take_shared(stage));
    if (taken) stages_.at(stage.name)["done"] = true;
  }
  LLMPATCH_TRY(save());
  for (std::string& change : changes) change += " (redoing " + join(redo, ", ") + ")";
  return changes;
}

std::string RunDirectory::key(const std::string& stage) const {
  return stages_.at(stage).at("key").get<std::string>();
}

bool RunDirectory::done(const std::string& stage) const {
  return stages_.at(stage).at("done").get<bool>();
}

Status RunDirectory::set_done(const std::string& stage) {
  stages_.at(stage)["done"] = true;
  LLMPATCH_TRY(save());
  return give_shared(stage);
}

Status RunDirectory::log(const std::string& line) {
  return append_text(path_ / kMetrics, line + "\n");
}

Status RunDirectory::rewind_metrics(const std::string& stage, std::int64_t step) {
  std::error_code code;
  if (!fs::exists(path_ / kMetrics, code)) return {};
  LLMPATCH_ASSIGN(const std::string text, read_file(path_ / kMetrics, kMaxBytes, "metrics"));
  std::string kept;
  for (const std::string_view line : whole_lines(text)) {
    const Json value = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!value.is_object()) continue;
    if (value.value("stage", "") == stage && value.value("step", std::int64_t{0}) > step) continue;
    kept.append(line).append("\n");
  }
  return write_file_atomic(path_ / kMetrics, kept);
}

Status RunDirectory::add_seconds(const std::string& stage, double seconds) {
  const auto found = std::find_if(seconds_.begin(), seconds_.end(),
                                  [&](const auto& entry) { return entry.first == stage; });
  if (found == seconds_.end()) {
    seconds_.emplace_back(stage, seconds);
  } else {
    found->second += seconds;
  }
  return save();
}

}  // namespace llmpatch
