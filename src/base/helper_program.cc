#include "base/helper_program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>
#include <thread>

#include "base/descriptor.h"

extern char** environ;

namespace llmpatch {
namespace {

using Clock = std::chrono::steady_clock;

// How often a raised flag is looked at.
constexpr std::int64_t kLookMilliseconds = 100;

Error failed(const char* where, const std::string& program, const std::string& what, int code) {
  return make_error(code == ENOENT ? ErrorKind::kNotFound : ErrorKind::kIo, where,
                    program + ": " + what + ": " + std::strerror(code));
}

// A process that is killed and waited for, unless it ended before.
class Process {
 public:
  explicit Process(pid_t id) : id_(id) {}
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() {
    if (id_ <= 0) return;
    ::kill(id_, SIGKILL);
    while (::waitpid(id_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  // Its exit code, or nothing while it runs.
  std::optional<int> ended() {
    int status = 0;
    if (::waitpid(id_, &status, WNOHANG) != id_) return std::nullopt;
    id_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t id_;
};

Result<pid_t> spawn(const char* where, const std::vector<std::string>& command, int end) {
  std::vector<char*> arguments;
  for (const std::string& argument : command) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, end, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, end, STDOUT_FILENO);
  pid_t id = -1;
  const int code =
      posix_spawnp(&id, command[0].c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (code != 0) return failed(where, command[0], "cannot be run", code);
  return id;
}

}  // namespace

Result<HelperAnswer> run_helper(const char* where, const std::vector<std::string>& command,
                                const std::string& input, const HelperLimits& limits) {
  if (command.empty() || command[0].empty()) {
    return make_error(ErrorKind::kInvalidArgument, where, "program: found none, expected its name");
  }
  const std::string& program = command[0];
  // A socket, not a pipe: writing to a helper that is gone is an error then, not a signal.
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return failed(where, program, "socket", errno);
  }
  Descriptor ours(ends[0]), theirs(ends[1]);
  LLMPATCH_ASSIGN(const pid_t id, spawn(where, command, theirs.get()));
  Process process(id);
  theirs.close();
  if (input.empty()) ::shutdown(ours.get(), SHUT_WR);
  const auto until = Clock::now() + limits.time;
  HelperAnswer answer;
  std::size_t sent = 0;
  const auto left = [&] {
    return std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
  };
  const auto too_slow = [&] {
    return make_error(
        ErrorKind::kLimit, where,
        program + ": took longer than " + std::to_string(limits.time.count()) + " ms");
  };
  while (true) {
    LLMPATCH_TRY(check_cancelled(limits.cancel, where));
    if (left() <= 0) return too_slow();
    const bool writes = sent < input.size();
    pollfd wait{ours.get(), static_cast<short>(POLLIN | (writes ? POLLOUT : 0)), 0};
    if (::poll(&wait, 1, static_cast<int>(std::clamp<std::int64_t>(left(), 1, kLookMilliseconds))) <
            0 &&
        errno != EINTR) {
      return failed(where, program, "poll", errno);
    }
    if (writes && (wait.revents & POLLOUT) != 0) {
      const ssize_t count =
          ::send(ours.get(), input.data() + sent, input.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (count > 0) sent += static_cast<std::size_t>(count);
      if (count < 0 && errno != EAGAIN && errno != EINTR) sent = input.size();  // it reads no more
      if (sent == input.size()) ::shutdown(ours.get(), SHUT_WR);
    }
    if ((wait.revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
      char buffer[4096];
      const ssize_t count = ::recv(ours.get(), buffer, sizeof buffer, MSG_DONTWAIT);
      if (count == 0) break;
      if (count < 0 && errno != EAGAIN && errno != EINTR) break;
      if (count > 0) answer.output.append(buffer, static_cast<std::size_t>(count));
      if (answer.output.size() > limits.output) {
        return make_error(
            ErrorKind::kLimit, where,
            program + ": wrote more than " + std::to_string(limits.output) + " bytes");
      }
    }
  }
  while (true) {  // it may run on with its output closed
    if (const auto code = process.ended()) {
      answer.exit_code = *code;
      return answer;
    }
    LLMPATCH_TRY(check_cancelled(limits.cancel, where));
    if (left() <= 0) return too_slow();
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

}  // namespace llmpatch
