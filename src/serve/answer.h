// An answer in the making: the choices that the engine generates for one request, sent whole or as
// they come. Internal to serve/.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "runtime/serving_engine.h"
#include "serve/answer_shape.h"
#include "serve/call.h"
#include "serve/workers.h"

namespace llmpatch {

// What an answer says of itself besides its choices.
struct AnswerFrame {
  std::string model;  // the full id
  std::string fingerprint;
  std::string stack;  // title of the stack, for logs and metrics
  Json llmpatch;      // the field of that name
  HttpHeaders headers;
  bool names_tier = false;
  bool stream = false, include_usage = false;
  bool counts_answer = true;  // false: the one token that was generated was not asked for
  std::size_t n = 1;          // choices that share a prompt
  // Is told the texts of all choices, once they have been sent: what was sent of them where the
  // answer was `cut`, since the client left or it ended with an error. May be null.
  std::function<void(const std::vector<std::string>& texts, bool cut)> on_texts;
};

class Answer : public std::enable_shared_from_this<Answer> {
 public:
  // `engine`, `finishers` and `metrics` must outlive it. `choices` is how many there will be;
  // `places` (of the queue) is let go when they have ended.
  Answer(std::shared_ptr<ApiCall> call, ServingEngine& engine, Workers& finishers, Metrics& metrics,
         std::unique_ptr<AnswerShape> shape, AnswerFrame frame, std::size_t choices,
         std::shared_ptr<void> places = nullptr);

  // Gives the requests to the engine, one for each choice, and answers the call once they have
  // ended, or that one of them was not taken. If the client goes, they are cancelled.
  void submit(std::vector<ServingRequest> requests);

 private:
  ServingSink sink(std::size_t index);
  void on_chunk(std::size_t index, const ServingChunk& chunk);
  // True if it was the last: then finish() is to be called.
  bool on_end(std::size_t index, const ServingResult& result);
  void finish_apart();
  void refuse(std::size_t missing, ApiError error);
  void cancel();

  // With mutex_ held.
  void open_stream();
  void send(Json choices, Json usage);
  Json frame_json(const char* object) const;
  Json usage_json() const;
  void end_call(bool has_gone);
  void tell_texts(bool cut) const;
  std::optional<ApiError> failure_of(const ServingResult& result) const;
  // Whether it was the last.
  bool end_one();

  void finish();  // when all have ended

  const std::shared_ptr<ApiCall> call_;
  ServingEngine& engine_;
  Workers& finishers_;
  Metrics& metrics_;
  const std::unique_ptr<AnswerShape> shape_;
  const AnswerFrame frame_;
  const std::int64_t created_;

  // The engine is never called with this held, but for its stats (ApiCall::fail): its thread takes
  // it in the sinks.
  std::mutex mutex_;
  std::vector<Choice> choices_;
  std::size_t open_;  // choices that have not ended
  std::shared_ptr<void> places_;
  bool has_begun_ = false;
  std::optional<ApiError> error_;
  ServingUsage usage_;
  std::vector<std::chrono::steady_clock::time_point> last_pieces_;  // choice by choice
  std::function<void(double)> observe_gap_;                         // from the first gap on

  // Apart from the above, since a client may be found gone while a piece is written.
  std::mutex ids_mutex_;
  std::vector<RequestId> ids_;
  std::atomic<bool> cancelled_ = false, gone_ = false;
};

}  // namespace llmpatch
