#include "serve/request_log.h"

#include <fcntl.h>
#include <spdlog/async_logger.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <exception>
#include <mutex>

namespace llmpatch {
namespace {

constexpr std::size_t kWaitingLines = 8192;

// "2027-01-31T00:00:00.123Z"
std::string now_text() {
  using namespace std::chrono;
  const auto now = system_clock::now();
  const std::time_t seconds = system_clock::to_time_t(now);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[32];
  const std::size_t length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
  const auto part = duration_cast<milliseconds>(now.time_since_epoch()).count() % 1000;
  const std::string digits = std::to_string(1000 + part).substr(1);
  return std::string(text, length) + "." + digits + "Z";
}

std::string line_of(std::string_view event, const OrderedJson& fields) {
  OrderedJson line{{"time", now_text()}, {"event", event}};
  line.update(fields);
  return json_line(line);
}

using Pool = std::shared_ptr<spdlog::details::thread_pool>;

std::shared_ptr<spdlog::async_logger> make_logger(const char* name, spdlog::sink_ptr sink,
                                                  const Pool& pool,
                                                  spdlog::async_overflow_policy policy) {
  auto logger = std::make_shared<spdlog::async_logger>(name, std::move(sink), pool, policy);
  logger->set_pattern("%v");
  logger->flush_on(spdlog::level::info);
  return logger;
}

}  // namespace

struct RequestLog::State {
  // The pool must outlive the loggers: it holds what they post.
  Pool talk_pool = std::make_shared<spdlog::details::thread_pool>(kWaitingLines, 1);
  Pool audit_pool;
  std::shared_ptr<spdlog::async_logger> talk;
  std::filesystem::path audit_path;  // empty: none
  std::mutex mutex;
  std::shared_ptr<spdlog::async_logger> audit;  // guarded by the mutex

  Status open_audit();
  void write_audit(const std::string& text);
};

Status RequestLog::State::open_audit() {
  const auto failed = [&](const std::string& why) {
    return make_error(ErrorKind::kIo, "serve", "audit log " + audit_path.string() + ": " + why);
  };
  const int file = ::open(audit_path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return failed(std::strerror(errno));
  ::close(file);
  try {
    auto next = make_logger(
        "audit", std::make_shared<spdlog::sinks::basic_file_sink_mt>(audit_path.string()),
        audit_pool, spdlog::async_overflow_policy::block);
    const std::lock_guard lock(mutex);
    audit = std::move(next);
  } catch (const std::exception& error) {
    return failed(error.what());
  }
  return {};
}

RequestLog::RequestLog(std::unique_ptr<State> state) : state_(std::move(state)) {}

RequestLog::~RequestLog() {
  state_->talk.reset();
  state_->audit.reset();
}

Result<std::unique_ptr<RequestLog>> RequestLog::open(const std::filesystem::path& audit) {
  try {
    auto state = std::make_unique<State>();
    state->talk = make_logger("talk", std::make_shared<spdlog::sinks::stderr_sink_mt>(),
                              state->talk_pool, spdlog::async_overflow_policy::overrun_oldest);
    if (!audit.empty()) {
      state->audit_pool = std::make_shared<spdlog::details::thread_pool>(kWaitingLines, 1);
      state->audit_path = audit;
      LLMPATCH_TRY(state->open_audit());
    }
    return std::unique_ptr<RequestLog>(new RequestLog(std::move(state)));
  } catch (const std::exception& error) {
    return make_error(ErrorKind::kIo, "serve", "audit log " + audit.string() + ": " + error.what());
  }
}

Status RequestLog::reopen() { return state_->audit_path.empty() ? Status() : state_->open_audit(); }

void RequestLog::write(std::string_view event, OrderedJson fields, bool audited) {
  const std::string text = line_of(event, fields);
  state_->talk->info(spdlog::string_view_t(text.data(), text.size()));
  if (audited) state_->write_audit(text);
}

void RequestLog::write_audit(std::string_view event, OrderedJson fields) {
  state_->write_audit(line_of(event, fields));
}

void RequestLog::State::write_audit(const std::string& text) {
  std::shared_ptr<spdlog::async_logger> file;
  {
    const std::lock_guard lock(mutex);
    file = audit;
  }
  if (file) file->info(spdlog::string_view_t(text.data(), text.size()));
}

}  // namespace llmpatch
