#include "study/suffix_search.h"

#include <torch/torch.h>

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "learn/examples.h"
#include "learn/layout.h"
#include "learn/output.h"

namespace llmpatch {
namespace {

// A prompt with a suffix, as text and as tokens.
struct Attempt {
  std::string suffix;
  Tokens prompt;
  std::size_t begin = 0, end = 0;  // the suffix's tokens in the prompt
};

class SuffixSearch {
 public:
  SuffixSearch(const AttackedModel& attacked, const std::string& request,
               const SuffixSearchOptions& options, const CancelFlag* cancel)
      : attacked_(attacked),
        request_(request),
        options_(options),
        cancel_(cancel),
        random_(options.seed) {}

  Result<FoundSuffix> run() {
    LLMPATCH_ASSIGN(target_, attacked_.model.tokenize(options_.target, /*parse_special=*/false));
    if (target_.empty()) {
      return make_error(ErrorKind::kInvalidArgument, "attack", "target: found no tokens in it");
    }
    LLMPATCH_TRY(find_frame());
    std::string first;
    for (int i = 0; i < options_.suffix_tokens; ++i) first += " !";
    LLMPATCH_ASSIGN(Attempt best, attempt(first));
    LLMPATCH_ASSIGN(const auto losses, losses_of({best}));
    FoundSuffix found{best.suffix, losses[0], losses[0], 0};
    for (; found.steps < options_.steps; ++found.steps) {
      LLMPATCH_ASSIGN(const auto candidates, candidates_of(best));
      if (candidates.empty()) continue;  // none of these draws was text
      LLMPATCH_ASSIGN(const auto tried, losses_of(candidates));
      const auto place =
          static_cast<std::size_t>(std::min_element(tried.begin(), tried.end()) - tried.begin());
      if (tried[place] >= found.loss) continue;
      best = candidates[place];
      found.loss = tried[place];
      found.suffix = best.suffix;
    }
    return found;
  }

 private:
  // How many tokens of every prompt stand before and after what the user says.
  Status find_frame() {
    LLMPATCH_ASSIGN(plain_, attacked_.encode(request_));
    LLMPATCH_ASSIGN(const Tokens other, attacked_.encode("Is water wet"));
    const auto most = std::min(plain_.size(), other.size());
    while (tail_ < most && plain_[plain_.size() - 1 - tail_] == other[other.size() - 1 - tail_]) {
      ++tail_;
    }
    return {};
  }

  Result<Attempt> attempt(const std::string& suffix) const {
    Attempt made{suffix, {}, 0, 0};
    LLMPATCH_ASSIGN(made.prompt, attacked_.encode(request_ + suffix));
    const Tokens& prompt = made.prompt;
    while (made.begin < std::min(prompt.size(), plain_.size()) &&
           prompt[made.begin] == plain_[made.begin]) {
      ++made.begin;
    }
    const std::size_t after = std::min(tail_, prompt.size());
    made.end = std::max(made.begin, prompt.size() - after);
    if (made.begin == made.end) {
      return make_error(ErrorKind::kInvalidArgument, "attack",
                        "request: found no place for a suffix in the model's chat template");
    }
    return made;
  }

  // Minus the mean log-probability of the target after every prompt.
  Result<std::vector<double>> losses_of(const std::vector<Attempt>& attempts) const {
    std::vector<Sequence> sequences;
    for (const Attempt& one : attempts) sequences.push_back({one.prompt, {target_}});
    LLMPATCH_ASSIGN(auto sums, answer_logprobs(attacked_.transformer, attacked_.prefix, sequences,
                                               cancel_, {}));
    for (double& sum : sums) sum = -sum / static_cast<double>(target_.size());
    return sums;
  }

  // Of the loss, by the embedding of every token of the suffix: [tokens, width].
  torch::Tensor gradient(const Attempt& at) const {
    const torch::Tensor prefix = attacked_.prefix;
    const Layout layout = pack({{at.prompt, {target_}}}, prefix.defined() ? prefix.size(0) : 0);
    torch::Tensor tokens = attacked_.transformer.embed(layout.token_ids).detach();
    tokens.requires_grad_(true);
    const torch::Tensor all =
        prefix.defined() ? torch::cat({prefix.to(tokens.scalar_type()), tokens}) : tokens;
    const torch::Tensor hidden = attacked_.transformer.forward(all, layout, {});
    const torch::Tensor loss = -token_logprobs(hidden.index_select(0, layout.predict_rows),
                                               attacked_.transformer.output(), layout.targets)
                                    .mean();
    loss.backward();
    // One sequence: its tokens stand in the batch as they do in the prompt.
    return tokens.grad()
        .narrow(0, static_cast<std::int64_t>(at.begin),
                static_cast<std::int64_t>(at.end - at.begin))
        .clone();
  }

  // The tokens that the gradient prefers at every place of the suffix: [tokens, likeliest].
  torch::Tensor preferred(const Attempt& at) {
    if (!table_.defined()) {
      table_ = attacked_.transformer
                   .embed(torch::arange(attacked_.transformer.shape().vocabulary, torch::kLong))
                   .detach();
    }
    const torch::Tensor slope = gradient(at).matmul(table_.t());
    const auto most = std::min<std::int64_t>(options_.likeliest, slope.size(1));
    return std::get<1>(slope.topk(most, 1, /*largest=*/false));
  }

  Result<std::vector<Attempt>> candidates_of(const Attempt& at) {
    const torch::Tensor choices = preferred(at);
    const auto access = choices.accessor<std::int64_t, 2>();
    std::vector<Attempt> candidates;
    for (int i = 0; i < options_.candidates; ++i) {
      LLMPATCH_TRY(check_cancelled(cancel_, "attack"));
      const auto place = random_() % static_cast<std::uint64_t>(choices.size(0));
      const auto choice = random_() % static_cast<std::uint64_t>(choices.size(1));
      Tokens suffix(at.prompt.begin() + static_cast<std::ptrdiff_t>(at.begin),
                    at.prompt.begin() + static_cast<std::ptrdiff_t>(at.end));
      suffix[place] = static_cast<Token>(
          access[static_cast<std::int64_t>(place)][static_cast<std::int64_t>(choice)]);
      // What a user can send is text: a token that is none leaves the suffix shorter, and a cut
      // character cannot be sent.
      const std::string text = attacked_.model.text(suffix);
      if (!is_utf8(text)) continue;
      auto tried = attempt(text);
      if (tried.ok() && tried->suffix != at.suffix) candidates.push_back(std::move(*tried));
    }
    return candidates;
  }

  const AttackedModel& attacked_;
  const std::string& request_;
  const SuffixSearchOptions& options_;
  const CancelFlag* cancel_;
  std::mt19937_64 random_;
  Tokens target_, plain_;
  std::size_t tail_ = 0;
  torch::Tensor table_;  // the embedding of every token
};

}  // namespace

Result<FoundSuffix> search_suffix(const AttackedModel& attacked, const std::string& request,
                                  const SuffixSearchOptions& options, const CancelFlag* cancel) {
  return SuffixSearch(attacked, request, options, cancel).run();
}

}  // namespace llmpatch
