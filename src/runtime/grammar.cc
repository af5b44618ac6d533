#include "runtime/grammar.h"

#include <algorithm>
#include <exception>
#include <string_view>

#include "runtime/grammar_check.h"
#include "runtime/llama_backend.h"

namespace llmpatch {
namespace {

// As a regular expression that matches the text itself.
std::string escaped(const std::string& text) {
  std::string pattern;
  for (const char c : text) {
    if (std::string_view("\\^$.|?*+()[]{}/").find(c) != std::string_view::npos) pattern += '\\';
    pattern += c;
  }
  return pattern;
}

}  // namespace

Grammar::Grammar(const Model& model, llama_sampler* sampler, std::vector<std::string> triggers)
    : model_(model),
      sampler_(sampler),
      triggers_(std::move(triggers)),
      waits_(!triggers_.empty()) {}

Result<std::unique_ptr<Grammar>> Grammar::create(const Model& model, const std::string& text,
                                                 std::vector<std::string> triggers) {
  LLMPATCH_TRY(check_grammar(text));
  take_llama_errors("");
  const llama_vocab* vocab = llama_model_get_vocab(model.handle());
  std::vector<std::string> patterns;
  for (const std::string& trigger : triggers) patterns.push_back(escaped(trigger));
  std::vector<const char*> texts;
  for (const std::string& pattern : patterns) texts.push_back(pattern.c_str());
  llama_sampler* sampler =
      triggers.empty() ? llama_sampler_init_grammar(vocab, text.c_str(), "root")
                       : llama_sampler_init_grammar_lazy_patterns(
                             vocab, text.c_str(), "root", texts.data(), texts.size(), nullptr, 0);
  auto grammar = std::unique_ptr<Grammar>(new Grammar(model, sampler, std::move(triggers)));
  if (grammar->sampler_ == nullptr) {
    return make_error(ErrorKind::kInvalidArgument, "runtime",
                      "grammar: libllama refused it: " + take_llama_errors("no reason given"));
  }
  return grammar;
}

// libllama looks for triggers in all of the text at every token, and by regular expressions; it is
// given the tokens in which one lies, once it has come.
void Grammar::look_for_trigger(Token token) {
  const std::string text = model_.text({&token, 1}, /*special=*/true);
  held_.emplace_back(token, text.size());
  held_text_ += text;
  const bool has_come = std::any_of(
      triggers_.begin(), triggers_.end(),
      [&](const std::string& trigger) { return held_text_.find(trigger) != std::string::npos; });
  if (has_come) {
    waits_ = false;
    try {
      for (const auto& [each, bytes] : held_) llama_sampler_accept(sampler_.get(), each);
    } catch (const std::exception&) {
      sampler_.reset();
    }
    held_.clear();
    held_text_.clear();
    return;
  }
  std::size_t kept = 0;  // bytes at the end that may begin a trigger
  for (const std::string& trigger : triggers_) {
    for (std::size_t n = std::min(trigger.size() - 1, held_text_.size()); n > kept; --n) {
      if (std::string_view(held_text_).ends_with(std::string_view(trigger).substr(0, n))) kept = n;
    }
  }
  while (!held_.empty() && held_text_.size() - held_.front().second >= kept) {
    held_text_.erase(0, held_.front().second);
    held_.pop_front();
  }
}

bool Grammar::allows(Token token) {
  if (waits_ || sampler_ == nullptr) return true;
  llama_token_data candidate{token, 0, 0};
  llama_token_data_array candidates{&candidate, 1, -1, false};
  llama_sampler_apply(sampler_.get(), &candidates);
  return candidate.logit == 0;
}

void Grammar::mask(std::span<float> logits) {
  if (waits_ || sampler_ == nullptr) return;
  std::vector<llama_token_data> data(logits.size());
  for (std::size_t id = 0; id < logits.size(); ++id) {
    data[id] = {static_cast<Token>(id), logits[id], 0};
  }
  llama_token_data_array candidates{data.data(), data.size(), -1, false};
  llama_sampler_apply(sampler_.get(), &candidates);
  for (const llama_token_data& candidate : data) {
    logits[static_cast<std::size_t>(candidate.id)] = candidate.logit;
  }
}

Status Grammar::accept(Token token) {
  if (waits_) {
    look_for_trigger(token);
    return {};
  }
  if (sampler_ == nullptr) return {};
  try {
    llama_sampler_accept(sampler_.get(), token);
  } catch (const std::exception& error) {
    return make_error(ErrorKind::kInternal, "runtime", std::string("grammar: ") + error.what());
  }
  return {};
}

}  // namespace llmpatch
