#include "judge/guard.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>

#include "base/file.h"
#include "base/quote.h"
#include "base/sha256.h"
#include "judge/first_token.h"
#include "judge/guard_prompt.h"
#include "runtime/engine.h"

namespace llmpatch {
namespace {

constexpr std::string_view kCustom = "custom", kBuiltIn = "built-in";

struct Words {
  std::string unsafe, safe;
  std::string opening;  // what the model writes before either
};

Result<Token> verdict_token(const Model& model, const std::string& word) {
  LLMPATCH_ASSIGN(const auto token, first_token(model, "\n", word));
  if (token) return *token;
  return make_error(ErrorKind::kUnsupported, "judge",
                    "guard model: found no token of its own for " + quote(word));
}

class GuardJudge final : public Judge {
 public:
  GuardJudge(const JudgeFile& file, GuardQuestion question, Words words, const CancelFlag* cancel)
      : name_(file.name()),
        identity_(file.identity()),
        question_(std::move(question)),
        words_(std::move(words)),
        cancel_(cancel) {}

  Status load(const std::filesystem::path& path, int threads) {
    LLMPATCH_ASSIGN(model_, Model::load(path));
    LLMPATCH_ASSIGN(const MappedFile bytes, MappedFile::open(path, "guard model"));
    identity_ += " model sha256:" + sha256_hex(bytes.bytes());
    LLMPATCH_ASSIGN(unsafe_, verdict_token(*model_, words_.unsafe));
    LLMPATCH_ASSIGN(safe_, verdict_token(*model_, words_.safe));
    if (unsafe_ == safe_) {
      return make_error(ErrorKind::kUnsupported, "judge",
                        "guard model: " + quote(words_.unsafe) + " and " + quote(words_.safe) +
                            ": found one first token of both, expected two");
    }
    // What is wrong with its template shows before anything is generated to be judged.
    LLMPATCH_TRY(tokens_of({"prompt", "response"}));
    EngineOptions options;
    options.threads = threads;
    LLMPATCH_ASSIGN(engine_, Engine::create(*model_, options));
    return {};
  }

  std::string_view name() const override { return name_; }
  std::string identity() const override { return identity_; }

  Result<std::vector<double>> score(std::span<const JudgeItem> items) const override {
    LLMPATCH_ASSIGN(const auto found, verdicts(items));
    return scores_of(found);
  }

  Result<std::vector<Verdict>> verdicts(std::span<const JudgeItem> items) const override {
    std::vector<ScoreRequest> requests;
    requests.reserve(items.size());
    for (const JudgeItem& item : items) {
      ScoreRequest request;
      LLMPATCH_ASSIGN(request.prompt, tokens_of(item));
      request.continuation = {unsafe_};  // any one token: what counts are the logits before it
      requests.push_back(std::move(request));
    }
    std::vector<Verdict> found(items.size());
    LLMPATCH_TRY(engine_->logits(
        requests,
        [&](std::size_t item, std::size_t, std::span<const float> logits) {
          found[item] = guard_verdict(logits, unsafe_, safe_);
        },
        cancel_));
    return found;
  }

 private:
  Result<Tokens> tokens_of(const JudgeItem& item) const {
    LLMPATCH_ASSIGN(auto spans, guard_prompt(question_, model_->chat_template(), item));
    if (!spans.empty() && !spans.back().text.ends_with(words_.opening)) {
      spans.push_back({words_.opening, false});
    }
    Tokens tokens = model_->bos();
    LLMPATCH_ASSIGN(const Tokens text, model_->tokenize(spans));
    tokens.insert(tokens.end(), text.begin(), text.end());
    return tokens;
  }

  std::string name_, identity_;
  GuardQuestion question_;
  Words words_;
  const CancelFlag* cancel_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<Engine> engine_;
  Token unsafe_ = -1, safe_ = -1;
};

}  // namespace

Verdict guard_verdict(std::span<const float> logits, Token unsafe, Token safe) {
  const bool numbers =
      std::none_of(logits.begin(), logits.end(), [](float logit) { return std::isnan(logit); });
  const auto most = std::distance(logits.begin(), std::max_element(logits.begin(), logits.end()));
  if (!numbers || (most != unsafe && most != safe)) return {};
  const double apart = static_cast<double>(logits[static_cast<std::size_t>(safe)]) -
                       logits[static_cast<std::size_t>(unsafe)];
  return {1 / (1 + std::exp(apart)), true};
}

Result<std::unique_ptr<Judge>> make_guard_judge(JudgeFile& file, const JudgeOptions& options) {
  LLMPATCH_ASSIGN(const std::filesystem::path model, file.file("model"));
  LLMPATCH_ASSIGN(const std::string family, file.text("family"));
  LLMPATCH_ASSIGN(const std::int64_t threads, file.integer("threads", 0, 0, 1024));
  GuardQuestion question;
  Words words;
  question.family = find_guard_family(family);
  if (question.family != nullptr) {
    words = {std::string(question.family->unsafe), std::string(question.family->safe),
             std::string(question.family->opening)};
    const auto prompt = file.one_of("prompt", {"template", kBuiltIn});
    LLMPATCH_TRY(prompt);
    question.built_in = *prompt == kBuiltIn;
    if (!question.family->policy.empty()) {
      LLMPATCH_ASSIGN(const auto policy, file.optional_text("policy"));
      question.policy = policy.value_or("");
    }
  } else if (family == kCustom) {
    LLMPATCH_ASSIGN(question.task, file.text("task"));
    LLMPATCH_ASSIGN(words.unsafe, file.text("unsafe"));
    LLMPATCH_ASSIGN(words.safe, file.text("safe"));
    if (question.task.find("{response}") == std::string::npos) {
      return file.corrupt("member 'task': found no {response}, expected the place for it");
    }
  } else {
    std::string known;
    for (const auto name : guard_family_names()) known += std::string(name) + ", ";
    return file.corrupt("member 'family': found " + quote(family) + ", expected " + known +
                        std::string(kCustom));
  }
  LLMPATCH_TRY(file.finish());
  auto judge =
      std::make_unique<GuardJudge>(file, std::move(question), std::move(words), options.cancel);
  LLMPATCH_TRY(judge->load(model, static_cast<int>(threads)));
  return std::unique_ptr<Judge>(std::move(judge));
}

}  // namespace llmpatch
