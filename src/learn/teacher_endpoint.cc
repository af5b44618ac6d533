#include "learn/teacher_endpoint.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "base/file.h"
#include "base/lines.h"
#include "http/openai.h"
#include "http/url.h"
#include "runtime/prompt_text.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

constexpr int kMostConcurrency = 256, kMostAttempts = 20;
constexpr std::chrono::seconds kLongestTimeout{3600};
constexpr std::chrono::minutes kLongestWait{2};  // for a Retry-After
constexpr std::chrono::milliseconds kLookAtCancel{50};
constexpr std::size_t kMostChoices = 16;  // of one request: what many servers allow
constexpr int kMostCorrupt = 3;           // answers of another form to one request
// Bytes of an answer: of what stands around the texts, and of a token as JSON.
constexpr std::uint64_t kAround = std::uint64_t{1} << 20, kTokenBytes = 64;
// A shorter "key" is a placeholder, which a text may well contain.
constexpr std::size_t kShortestSecret = 12;

Error invalid(const std::string& message, const std::string& hint = "") {
  return make_error(ErrorKind::kInvalidArgument, "learn", "teacher endpoint: " + message, hint);
}

// 0.9, not the 0.8999999761581421 that a float is.
double rounded(float value) { return std::round(1e6 * static_cast<double>(value)) / 1e6; }

// Whether the server's own filter keeps the answer back.
bool is_filtered(const HttpAnswer& answer) {
  if (answer.status != 400) return false;
  const std::string code = openai_error_code(answer.body);
  return code == "content_filter" || code == "content_policy_violation";
}

// One list of prompts that is being asked. `work` runs on several threads.
class Asking {
 public:
  Asking(const TeacherEndpoint& endpoint, const std::vector<Prompt>& prompts,
         const std::vector<PromptFormat>& formats, const AnswerSettings& settings,
         const fs::path& file, const ProgressFn& progress)
      : endpoint_(endpoint),
        prompts_(prompts),
        formats_(formats),
        settings_(settings),
        samples_(static_cast<std::size_t>(settings.samples)),
        file_(file),
        progress_(progress),
        places_(first_places(prompts, formats)),
        known_(prompts.size()) {}

  Result<std::vector<Answers>> run(const CancelFlag* cancel) {
    LLMPATCH_TRY(load());
    for (std::size_t i = 0; i < prompts_.size(); ++i) {
      if (places_[i] != i) continue;
      ++asked_;
      if (known_[i].texts.size() < samples_) missing_.push_back(i);
    }
    if (!missing_.empty()) {
      ask_missing(cancel);
      LLMPATCH_TRY(check_cancelled(cancel, "learn"));
      if (failure_) return with_hint(*std::move(failure_));
    }
    LLMPATCH_TRY(write_in_order());  // also where a kill came before it
    for (std::size_t i = 0; i < prompts_.size(); ++i) known_[i] = known_[places_[i]];
    return std::move(known_);
  }

 private:
  // What an earlier call received; the file is cut behind its last whole line.
  Status load() {
    std::error_code code;
    if (!fs::exists(file_, code)) return {};
    LLMPATCH_ASSIGN(const std::string text, read_file(file_, kMaxAnswerBytes, "answers"));
    std::map<std::pair<std::string, PromptFormat>, std::size_t> place_of;
    for (std::size_t i = 0; i < prompts_.size(); ++i) {
      place_of.try_emplace({prompts_[i].digest(), formats_[i]}, i);
    }
    std::string kept;
    std::size_t number = 0;
    for (const std::string_view line : whole_lines(text)) {
      kept.append(line).append("\n");
      const std::string where = file_.string() + " line " + std::to_string(++number);
      LLMPATCH_ASSIGN(const Json value, parse_json(line, where));
      LLMPATCH_ASSIGN(const std::string digest, json_string(value, "prompt_digest", where));
      LLMPATCH_ASSIGN(const std::string name, json_string(value, "format", where));
      LLMPATCH_ASSIGN(const Answers answers, parse_answers(value, where));
      const auto format = parse_prompt_format(name);
      const auto place = format.ok() ? place_of.find({digest, *format}) : place_of.end();
      if (place == place_of.end()) return other_answers(where);
      add(known_[place->second], answers);
      if (known_[place->second].texts.size() > samples_) return other_answers(where);
    }
    return kept == text ? Status() : write_file_atomic(file_, kept);
  }

  static void add(Answers& to, const Answers& more) {
    to.texts.insert(to.texts.end(), more.texts.begin(), more.texts.end());
    to.complete.insert(to.complete.end(), more.complete.begin(), more.complete.end());
  }

  Status write_in_order() const {
    std::string text;
    for (std::size_t i = 0; i < prompts_.size(); ++i) {
      if (places_[i] == i) text += answers_line(prompts_[i], known_[i], formats_[i]);
    }
    return write_file_atomic(file_, text);
  }

  Error with_hint(Error error) const {
    if (error.kind == ErrorKind::kDenied && endpoint_.key.empty() && error.where == "learn") {
      error.hint =
          std::string("the environment variable ") + kTeacherKeyVariable + " holds the key";
    } else if (error.hint.empty() &&
               std::ranges::any_of(known_, [](const Answers& one) { return !one.texts.empty(); })) {
      error.hint = "what has been answered is kept: the same command asks for the rest";
    }
    return error;
  }

  // Runs the workers, and ends them when one fails or `cancel` is raised.
  void ask_missing(const CancelFlag* cancel) {
    const auto count = std::min(static_cast<std::size_t>(endpoint_.concurrency), missing_.size());
    if (progress_) progress_(asked_ - missing_.size(), asked_, "");
    running_ = count;
    std::vector<std::thread> threads;
    threads.reserve(count);
    while (threads.size() < count) {
      try {
        threads.emplace_back([this] { work(); });
      } catch (const std::system_error& error) {  // fewer will do
        const std::lock_guard lock(mutex_);
        running_ -= count - threads.size();
        if (threads.empty()) {
          failure_ = make_error(ErrorKind::kLimit, "learn",
                                std::string("teacher endpoint: ") + error.what());
        }
        break;
      }
    }
    {
      std::unique_lock lock(mutex_);
      while (!ended_.wait_for(lock, kLookAtCancel, [&] { return running_ == 0; })) {
        if (cancel != nullptr && cancel->raised()) stop_.raise();
      }
    }
    for (std::thread& thread : threads) thread.join();
  }

  void work() {
    Status status;
    try {
      status = ask_some();
    } catch (const std::exception& error) {
      status = make_error(ErrorKind::kInternal, "learn",
                          std::string("teacher endpoint: ") + error.what());
    }
    const std::lock_guard lock(mutex_);
    if (!status.ok()) {
      if (!failure_) failure_ = std::move(status).error();  // the others' are of being stopped
      stop_.raise();
    }
    --running_;
    ended_.notify_all();
  }

  Status ask_some() {
    HttpOptions options;
    options.attempts = endpoint_.attempts;
    options.first_wait = endpoint_.first_wait;
    options.longest_wait = kLongestWait;
    options.slow_limit = endpoint_.timeout;
    options.cancel = &stop_;
    LLMPATCH_ASSIGN(std::string url, openai_url(endpoint_.url));
    LLMPATCH_ASSIGN(OpenAiClient client,
                    OpenAiClient::create({std::move(url), endpoint_.model, endpoint_.key},
                                         std::move(options), "learn", "teacher"));
    while (true) {
      const std::size_t next = next_++;
      if (next >= missing_.size()) return {};
      LLMPATCH_TRY(ask_for(client, missing_[next]));
    }
  }

  // All answers that a prompt lacks.
  Status ask_for(OpenAiClient& client, std::size_t place) {
    Answers& known = known_[place];  // no other thread's
    while (known.texts.size() < samples_) {
      LLMPATCH_TRY(check_cancelled(&stop_, "learn"));
      LLMPATCH_ASSIGN(const Answers more, ask(client, place, known.texts.size()));
      const std::lock_guard lock(mutex_);
      LLMPATCH_TRY(append_text(file_, answers_line(prompts_[place], more, formats_[place])));
      add(known, more);
      if (known.texts.size() < samples_) continue;
      ++done_;
      if (progress_) progress_(asked_ - missing_.size() + done_, asked_, "");
    }
    return {};
  }

  // Some answers to a prompt of which `known` are there. An answer of another form may be the
  // work of something between us and the server, and the next one whole.
  Result<Answers> ask(OpenAiClient& client, std::size_t place, std::size_t known) {
    for (int tries = 1;; ++tries) {
      auto answers = ask_once(client, place, known);
      const bool again = !answers.ok() && answers.error().kind == ErrorKind::kCorrupt;
      if (!again || tries == kMostCorrupt) return answers;
    }
  }

  Result<Answers> ask_once(OpenAiClient& client, std::size_t place, std::size_t known) {
    const bool single = one_by_one_.load();
    const std::size_t count = single ? 1 : std::min(samples_ - known, kMostChoices);
    LLMPATCH_ASSIGN(const Json body, endpoint_request(endpoint_.model, prompts_[place],
                                                      formats_[place], settings_, known, count));
    const bool chat = formats_[place] == PromptFormat::kChat;
    const auto tokens = static_cast<std::uint64_t>(settings_.max_tokens);
    LLMPATCH_ASSIGN(const HttpAnswer answer,
                    client.post(chat ? "/chat/completions" : "/completions", body,
                                kAround + count * tokens * kTokenBytes));
    if (is_filtered(answer)) {
      return Answers{std::vector<std::string>(count), std::vector<bool>(count, false)};
    }
    if (count > 1 && (answer.status == 400 || answer.status == 422)) {
      one_by_one_ = true;  // perhaps it was that
      return ask_once(client, place, known);
    }
    LLMPATCH_ASSIGN(const Json said, client.read(answer));
    LLMPATCH_ASSIGN(auto choices, chat ? openai_chat_choices(said, client.where())
                                       : openai_text_choices(said, client.where()));
    choices.resize(std::min(choices.size(), count));
    Answers answers;
    for (OpenAiChoice& choice : choices) {
      if (endpoint_.key.size() >= kShortestSecret &&
          choice.text.find(endpoint_.key) != std::string::npos) {
        return make_error(ErrorKind::kCorrupt, "learn",
                          client.where() + ": found the key in an answer, expected text");
      }
      answers.texts.push_back(std::move(choice.text));
      answers.complete.push_back(choice.complete);
    }
    return answers;
  }

  const TeacherEndpoint& endpoint_;
  const std::vector<Prompt>& prompts_;
  const std::vector<PromptFormat>& formats_;
  const AnswerSettings& settings_;
  const std::size_t samples_;
  const fs::path& file_;
  const ProgressFn& progress_;
  const std::vector<std::size_t> places_;
  std::vector<Answers> known_;  // at the first place of each prompt
  std::vector<std::size_t> missing_;
  std::size_t asked_ = 0;  // different prompts
  std::atomic<std::size_t> next_{0};
  std::atomic<bool> one_by_one_{false};  // the server does not take `n`
  CancelFlag stop_;
  std::mutex mutex_;  // of the file, `progress_` and what follows
  std::condition_variable ended_;
  std::size_t running_ = 0, done_ = 0;
  std::optional<Error> failure_;
};

}  // namespace

Status check_teacher_endpoint(const TeacherEndpoint& endpoint) {
  const auto url = openai_url(endpoint.url);
  if (!url.ok()) return invalid(url.error().message, url.error().hint);
  LLMPATCH_ASSIGN(const Url place, parse_url(*url));
  if (place.scheme == "http" && !is_this_machine(place)) {  // HttpClient's rule, before any work
    return make_error(
        ErrorKind::kDenied, "learn",
        "teacher endpoint: found http to another machine, expected https: prompts and "
        "key would go over the network unencrypted");
  }
  if (endpoint.model.empty()) {
    return invalid("found no name of a model", "give --teacher-endpoint-model");
  }
  if (endpoint.concurrency < 1 || endpoint.concurrency > kMostConcurrency) {
    return invalid("found " + std::to_string(endpoint.concurrency) +
                   " requests at once, expected 1 to " + std::to_string(kMostConcurrency));
  }
  if (endpoint.attempts < 1 || endpoint.attempts > kMostAttempts) {
    return invalid("found " + std::to_string(endpoint.attempts) + " attempts, expected 1 to " +
                   std::to_string(kMostAttempts));
  }
  if (endpoint.timeout.count() < 1 || endpoint.timeout > kLongestTimeout) {
    return invalid("found a timeout of " + std::to_string(endpoint.timeout.count()) +
                   " seconds, expected 1 to " + std::to_string(kLongestTimeout.count()));
  }
  return {};
}

Result<Json> endpoint_request(const std::string& model, const Prompt& prompt, PromptFormat format,
                              const AnswerSettings& settings, std::size_t known,
                              std::size_t count) {
  constexpr std::uint64_t kPositive = INT64_MAX;
  Json body{{"model", model},
            {"max_tokens", settings.max_tokens},
            {"temperature", rounded(settings.sampling.temperature)},
            {"top_p", rounded(settings.sampling.top_p)},
            {"seed", (settings.sampling.seed + known) & kPositive}};
  if (count > 1) body["n"] = count;
  if (format == PromptFormat::kChat) {
    body["messages"] = Json::array();
    for (const Message& message : chat_messages(prompt, settings.system)) {
      body["messages"].push_back({{"role", message.role}, {"content", message.content}});
    }
  } else {
    LLMPATCH_ASSIGN(body["prompt"], raw_text(prompt, settings.system));
  }
  return body;
}

Result<std::vector<Answers>> ask_endpoint(const TeacherEndpoint& endpoint,
                                          const std::vector<Prompt>& prompts,
                                          const std::vector<PromptFormat>& formats,
                                          const AnswerSettings& settings, const fs::path& file,
                                          const CancelFlag* cancel, const ProgressFn& progress) {
  LLMPATCH_TRY(check_teacher_endpoint(endpoint));
  return Asking(endpoint, prompts, formats, settings, file, progress).run(cancel);
}

}  // namespace llmpatch
