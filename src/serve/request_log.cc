#include "serve/request_log.h"

#include <spdlog/async_logger.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <ctime>
#include <exception>
#include <utility>

#include "serve/audit_file.h"

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

using Logger = spdlog::async_logger;

void say(Logger& talk, const std::string& line) {
  talk.info(spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace

struct RequestLog::State {
  // In this order: the pool holds what the logger posts, and the file says of itself what it lost.
  std::shared_ptr<spdlog::details::thread_pool> pool =
      std::make_shared<spdlog::details::thread_pool>(kWaitingLines, 1);
  std::shared_ptr<Logger> talk;
  std::unique_ptr<AuditFile> audit;  // null: none
};

RequestLog::RequestLog(std::unique_ptr<State> state) : state_(std::move(state)) {}
RequestLog::~RequestLog() = default;

Result<std::unique_ptr<RequestLog>> RequestLog::open(const std::filesystem::path& audit) {
  try {
    auto state = std::make_unique<State>();
    state->talk =
        std::make_shared<Logger>("talk", std::make_shared<spdlog::sinks::stderr_sink_mt>(),
                                 state->pool, spdlog::async_overflow_policy::overrun_oldest);
    state->talk->set_pattern("%v");
    state->talk->flush_on(spdlog::level::info);
    // Its own would write to stderr what is no JSON; and where that fails, there is no other place.
    state->talk->set_error_handler([](const std::string&) {});
    if (!audit.empty()) {
      LLMPATCH_ASSIGN(state->audit,
                      AuditFile::open(audit, [&talk = *state->talk](std::string_view event,
                                                                    const OrderedJson& fields) {
                        say(talk, line_of(event, fields));
                      }));
    }
    return std::unique_ptr<RequestLog>(new RequestLog(std::move(state)));
  } catch (const std::exception& error) {
    return make_error(ErrorKind::kIo, "serve", std::string("log: ") + error.what());
  }
}

Status RequestLog::reopen() { return state_->audit ? state_->audit->reopen() : Status(); }

void RequestLog::write(std::string_view event, OrderedJson fields, bool audited) {
  std::string line = line_of(event, fields);
  say(*state_->talk, line);
  if (audited && state_->audit) state_->audit->write(std::move(line));
}

void RequestLog::write_audit(std::string_view event, OrderedJson fields) {
  if (state_->audit) state_->audit->write(line_of(event, fields));
}

void RequestLog::stop_waiting_at(std::chrono::steady_clock::time_point deadline) {
  if (state_->audit) state_->audit->stop_waiting_at(deadline);
}

bool RequestLog::is_audit_failing() const { return state_->audit && state_->audit->is_failing(); }

}  // namespace llmpatch
