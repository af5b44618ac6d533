#include "learn/validator.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "judge/refusal.h"

namespace llmpatch {
namespace {

double share_refused(const std::vector<JudgeItem>& items) {
  const auto refused = std::count_if(
      items.begin(), items.end(), [](const JudgeItem& item) { return is_refusal(item.response); });
  return static_cast<double>(refused) / static_cast<double>(items.size());
}

}  // namespace

Rows to_rows(const torch::Tensor& tensor) {
  const torch::Tensor flat = tensor.detach().to(torch::kFloat32).contiguous();
  Rows rows{static_cast<std::size_t>(flat.size(0)), static_cast<std::size_t>(flat.size(1)), {}};
  rows.values.assign(flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel());
  return rows;
}

torch::Tensor to_tensor(const Rows& rows) {
  torch::Tensor tensor = torch::empty(
      {static_cast<std::int64_t>(rows.n), static_cast<std::int64_t>(rows.d)}, torch::kFloat32);
  std::memcpy(tensor.data_ptr<float>(), rows.values.data(), rows.values.size() * sizeof(float));
  return tensor;
}

Result<std::vector<JudgeItem>> Validator::answer(const std::vector<Prompt>& prompts,
                                                 const std::vector<PromptFormat>& formats,
                                                 PrefixId prefix, int samples) {
  std::vector<GenerateRequest> requests;
  std::vector<JudgeItem> items;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    GenerateRequest request;
    LLMPATCH_ASSIGN(request.prompt, encode_prompt(engine_.model(), prompts[i], formats[i]));
    request.stack.prefixes = {prefix};
    request.max_tokens = options_.max_tokens;
    if (samples > 0) {
      request.sampling = options_.sampling;
      request.random_key = prompts[i].digest();
    }
    for (int k = 0; k < std::max(samples, 1); ++k) {
      request.sampling.sample = static_cast<std::uint32_t>(k);
      requests.push_back(request);
      items.push_back({prompts[i].text(), ""});
    }
  }
  LLMPATCH_ASSIGN(auto completions, engine_.generate(requests, cancel_));
  for (std::size_t i = 0; i < items.size(); ++i) {
    items[i].response = std::move(completions[i].text);
  }
  return items;
}

template <class Work>
Status Validator::with_prefix(const torch::Tensor& rows, Work work) {
  LLMPATCH_ASSIGN(const PrefixId prefix, engine_.add_prefix(to_rows(rows)));
  const Status worked = work(prefix);
  LLMPATCH_TRY(engine_.remove_prefix(prefix));
  return worked;
}

Result<double> Validator::refused_share(const torch::Tensor& rows,
                                        const std::vector<Prompt>& prompts,
                                        const std::vector<PromptFormat>& formats) {
  double share = 0;
  LLMPATCH_TRY(with_prefix(rows, [&](PrefixId prefix) -> Status {
    LLMPATCH_ASSIGN(const auto items, answer(prompts, formats, prefix));
    share = share_refused(items);
    return {};
  }));
  return share;
}

Result<Validation> Validator::measure(const torch::Tensor& rows) {
  Validation found;
  LLMPATCH_TRY(with_prefix(rows, [&](PrefixId prefix) -> Status {
    LLMPATCH_ASSIGN(const auto harmful,
                    answer(set_.harmful, set_.harmful_formats, prefix, options_.samples));
    LLMPATCH_ASSIGN(const auto benign, answer(set_.benign, set_.benign_formats, prefix));
    if (!harmful.empty()) {
      LLMPATCH_ASSIGN(const auto scores, judge_.score(harmful));
      found.refused = 1 - std::accumulate(scores.begin(), scores.end(), 0.0) /
                              static_cast<double>(scores.size());
    }
    if (!benign.empty()) found.over_refused = share_refused(benign);
    return {};
  }));
  LLMPATCH_ASSIGN(found.divergence,
                  mean_divergence(transformer_, rows, set_.benign_texts, cancel_));
  found.score = found.refused - 2 * found.over_refused -
                2 * std::max(0.0, found.divergence - options_.divergence_limit);
  return found;
}

}  // namespace llmpatch
