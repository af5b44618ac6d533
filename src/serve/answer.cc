#include "serve/answer.h"

#include <algorithm>
#include <ctime>
#include <utility>

namespace llmpatch {
namespace {

const char* finish_of(ServingEnd end) { return end == ServingEnd::kStop ? "stop" : "length"; }

}  // namespace

Answer::Answer(std::shared_ptr<ApiCall> call, ServingEngine& engine, Workers& finishers,
               Metrics& metrics, std::unique_ptr<AnswerShape> shape, AnswerFrame frame,
               std::size_t choices, std::shared_ptr<void> places)
    : call_(std::move(call)),
      engine_(engine),
      finishers_(finishers),
      metrics_(metrics),
      shape_(std::move(shape)),
      frame_(std::move(frame)),
      created_(std::time(nullptr)),
      choices_(choices),
      open_(choices),
      places_(std::move(places)),
      last_pieces_(choices) {}

void Answer::submit(std::vector<ServingRequest> requests) {
  call_->on_gone([weak = weak_from_this()] {
    const auto answer = weak.lock();
    if (answer == nullptr) return;
    answer->gone_ = true;
    answer->cancel();
  });
  for (std::size_t i = 0; i < requests.size(); ++i) {
    Result<RequestId> id = engine_.submit(std::move(requests[i]), sink(i));
    if (!id.ok()) {
      refuse(requests.size() - i, engine_error(id.error()));
      return;
    }
    {
      const std::lock_guard lock(ids_mutex_);
      ids_.push_back(*id);
    }
    if (cancelled_) engine_.cancel(*id);  // cancel() may have come before it was among the ids
  }
}

ServingSink Answer::sink(std::size_t index) {
  const auto self = shared_from_this();
  if (shape_->is_slow() && frame_.stream) {
    // On the finishers' one thread, so that they keep their order.
    return {[self, index](const ServingChunk& chunk) {
              self->finishers_.post([self, index, text = std::string(chunk.text)] {
                self->on_chunk(index, {text, {}});
              });
            },
            [self, index](const ServingResult& result) {
              self->finishers_.post([self, index, result] {
                if (self->on_end(index, result)) self->finish();
              });
            }};
  }
  return {[self, index](const ServingChunk& chunk) { self->on_chunk(index, chunk); },
          [self, index](const ServingResult& result) {
            if (self->on_end(index, result)) self->finish_apart();
          }};
}

void Answer::on_chunk(std::size_t index, const ServingChunk& chunk) {
  const auto now = std::chrono::steady_clock::now();
  const std::lock_guard lock(mutex_);
  std::chrono::steady_clock::time_point& last_piece = last_pieces_[index];
  if (last_piece != std::chrono::steady_clock::time_point()) {
    if (!observe_gap_) observe_gap_ = metrics_.gap_observer(frame_.stack);
    observe_gap_(std::chrono::duration<double>(now - last_piece).count());
  }
  last_piece = now;
  if (error_) return;
  Choice& choice = choices_[index];
  if (!frame_.stream || frame_.on_texts) choice.text += chunk.text;
  if (!frame_.stream) {
    choice.logprobs.insert(choice.logprobs.end(), chunk.logprobs.begin(), chunk.logprobs.end());
    return;
  }
  open_stream();
  Json piece = shape_->piece(index, chunk.text, chunk.logprobs);
  if (!piece.is_null()) send(Json::array({std::move(piece)}), nullptr);
}

bool Answer::on_end(std::size_t index, const ServingResult& result) {
  if (result.usage.first_token_seconds > 0) {
    call_->note_place(call_->seconds() - result.usage.queued_seconds);
  }
  bool has_failed = false, is_last = false;
  {
    const std::lock_guard lock(mutex_);
    Choice& choice = choices_[index];
    choice.end = result.end;
    choice.prompt_logprobs = result.prompt_logprobs;
    // The prompt of several choices was sent, and is counted, once.
    if (index % frame_.n == 0) {
      usage_.prompt_tokens += result.usage.prompt_tokens;
      usage_.prefix_rows += result.usage.prefix_rows;
      usage_.cached_tokens += result.usage.cached_tokens;
      usage_.queued_seconds = std::max(usage_.queued_seconds, result.usage.queued_seconds);
      usage_.first_token_seconds =
          std::max(usage_.first_token_seconds, result.usage.first_token_seconds);
    }
    if (frame_.counts_answer) usage_.completion_tokens += result.usage.completion_tokens;
    if (std::optional<ApiError> failure = failure_of(result)) {
      has_failed = !error_;
      if (has_failed) error_ = std::move(failure);
    } else if (frame_.stream && !error_) {
      open_stream();
      send(Json::array({shape_->closing(index, finish_of(result.end))}), nullptr);
    }
    is_last = end_one();
  }
  if (has_failed) cancel();  // the others are of no use
  return is_last;
}

void Answer::refuse(std::size_t missing, ApiError error) {
  bool is_last = false;
  {
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = std::move(error);
    for (std::size_t i = 0; i < missing; ++i) is_last = end_one();
  }
  cancel();
  if (is_last) finish_apart();
}

void Answer::cancel() {
  cancelled_ = true;
  std::vector<RequestId> ids;
  {
    const std::lock_guard lock(ids_mutex_);
    ids = ids_;
  }
  for (const RequestId id : ids) engine_.cancel(id);
}

bool Answer::end_one() { return --open_ == 0; }

void Answer::finish_apart() {
  // Making a long answer's JSON takes longer than the engine should wait.
  finishers_.post([self = shared_from_this()] { self->finish(); });
}

std::optional<ApiError> Answer::failure_of(const ServingResult& result) const {
  switch (result.end) {
    case ServingEnd::kStop:
    case ServingEnd::kLength:
      return std::nullopt;
    case ServingEnd::kDeadline:
      return ApiError{504, "the answer was not finished in the time a request may take", "deadline",
                      ""};
    case ServingEnd::kCancelled:
      return ApiError{503, "the request was cancelled: the server is shutting down",
                      "shutting_down", ""};
    case ServingEnd::kFailed:
      break;
  }
  return result.error ? engine_error(*result.error)
                      : ApiError{500, "the engine failed", "internal", ""};
}

void Answer::open_stream() {
  if (has_begun_) return;
  has_begun_ = true;
  call_->begin_stream(frame_.headers);
  for (std::size_t i = 0; i < choices_.size(); ++i) {
    Json opening = shape_->opening(i);
    if (!opening.is_null()) send(Json::array({std::move(opening)}), nullptr);
  }
}

Json Answer::frame_json(const char* object) const {
  Json json{{"id", call_->id()},
            {"object", object},
            {"created", created_},
            {"model", frame_.model},
            {"system_fingerprint", frame_.fingerprint},
            {"llmpatch", frame_.llmpatch}};
  if (frame_.names_tier) json["service_tier"] = "default";
  return json;
}

void Answer::send(Json choices, Json usage) {
  Json chunk = frame_json(shape_->chunk_object());
  chunk["choices"] = std::move(choices);
  if (frame_.include_usage) chunk["usage"] = std::move(usage);
  call_->event(chunk);
}

Json Answer::usage_json() const {
  return {{"prompt_tokens", usage_.prompt_tokens},
          {"completion_tokens", usage_.completion_tokens},
          {"total_tokens", usage_.prompt_tokens + usage_.completion_tokens},
          {"prefix_rows", usage_.prefix_rows},
          {"prompt_tokens_details", {{"cached_tokens", usage_.cached_tokens}}}};
}

void Answer::finish() {
  const std::lock_guard lock(mutex_);
  places_.reset();  // before the client knows that there is room
  call_->note("stack", frame_.stack);
  call_->note("stream", frame_.stream);
  call_->note("choices", choices_.size());
  call_->note("prompt_tokens", usage_.prompt_tokens);
  call_->note("cached_tokens", usage_.cached_tokens);
  call_->note("prefix_rows", usage_.prefix_rows);
  call_->note("completion_tokens", usage_.completion_tokens);
  call_->note("queued_seconds", usage_.queued_seconds);
  call_->note("first_token_seconds", usage_.first_token_seconds);
  metrics_.count_completion(frame_.stack, usage_, call_->seconds());
  const bool has_gone = gone_, is_cut = has_gone || error_;
  end_call(has_gone);
  // Of a cut answer that is no stream nothing was sent.
  if (!is_cut || frame_.stream) tell_texts(is_cut);
}

void Answer::end_call(bool has_gone) {
  if (has_gone) return call_->abandon();
  if (error_) {
    if (!has_begun_) return call_->fail(*error_);
    call_->note("code", error_->code);
    call_->event(error_->body());
    return call_->end_stream(error_->status);
  }
  if (frame_.stream) {
    if (frame_.include_usage) send(Json::array(), usage_json());
    return call_->end_stream(200);
  }
  Json answer = frame_json(shape_->object());
  answer["choices"] = Json::array();
  for (std::size_t i = 0; i < choices_.size(); ++i) {
    answer["choices"].push_back(shape_->whole(i, choices_[i], finish_of(choices_[i].end)));
  }
  answer["usage"] = usage_json();
  call_->respond(200, answer, frame_.headers);
}

void Answer::tell_texts(bool cut) const {
  if (!frame_.on_texts) return;
  std::vector<std::string> texts;
  for (const Choice& choice : choices_) texts.push_back(choice.text);
  frame_.on_texts(texts, cut);
}

}  // namespace llmpatch
