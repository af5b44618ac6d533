#include "judge/toxicity_svm.h"

#include "judge/tfidf_svm.h"

namespace llmpatch {
namespace {

class ToxicitySvmJudge final : public Judge {
 public:
  explicit ToxicitySvmJudge(TfidfSvm svm) : svm_(std::move(svm)) {}
  std::string_view name() const override { return "toxicity-svm"; }
  std::string identity() const override { return std::string(name()) + " sha256:" + svm_.sha256(); }
  Result<std::vector<double>> score(std::span<const JudgeItem> items) const override {
    std::vector<double> scores;
    scores.reserve(items.size());
    for (const auto& item : items) scores.push_back(svm_.probability(item.response));
    return scores;
  }

 private:
  TfidfSvm svm_;
};

}  // namespace

Result<std::unique_ptr<Judge>> make_toxicity_svm_judge(const JudgeOptions& options) {
  auto svm = TfidfSvm::load(options.data / "download" / "toxicity-svm.jsonl");
  if (!svm.ok()) {
    Error error = svm.error();
    if (error.kind == ErrorKind::kNotFound) error.hint = "scripts/setup puts it there";
    return error;
  }
  return std::unique_ptr<Judge>(std::make_unique<ToxicitySvmJudge>(std::move(*svm)));
}

}  // namespace llmpatch
