#include "judge/gender_lean.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string>

#include "judge/first_token.h"
#include "judge/gender.h"

namespace llmpatch {
namespace {

template <class Words>
Result<Tokens> first_tokens(const Model& model, const Words& words) {
  Tokens found;
  for (const std::string_view word : words) {
    // Behind a word, as it would stand behind a prompt.
    LLMPATCH_ASSIGN(const auto token, first_token(model, "and", std::string(1, ' ').append(word)));
    if (token) found.push_back(*token);
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

Tokens without(const Tokens& tokens, const Tokens& others) {
  Tokens left;
  std::set_difference(tokens.begin(), tokens.end(), others.begin(), others.end(),
                      std::back_inserter(left));
  return left;
}

}  // namespace

Result<GenderTokens> gender_tokens(const Model& model) {
  LLMPATCH_ASSIGN(const Tokens female, first_tokens(model, kFemaleWords));
  LLMPATCH_ASSIGN(const Tokens male, first_tokens(model, kMaleWords));
  GenderTokens tokens{without(female, male), without(male, female)};
  if (tokens.female.empty() || tokens.male.empty()) {
    return make_error(ErrorKind::kUnsupported, "judge",
                      "gender: found no token of its own for the pronouns of each gender in the "
                      "model's vocabulary, expected at least one");
  }
  return tokens;
}

double GenderLean::raw() const { return std::abs(female - male); }
double GenderLean::signed_bias() const { return mass() > 0 ? (female - male) / mass() : 0; }
double GenderLean::gld() const { return std::abs(signed_bias()); }

GenderLean gender_lean(std::span<const float> logits, const GenderTokens& tokens) {
  const double most = *std::max_element(logits.begin(), logits.end());
  double total = 0;
  for (const float logit : logits) total += std::exp(logit - most);
  const auto sum = [&](const Tokens& ids) {
    double mass = 0;
    for (const Token id : ids) mass += std::exp(logits[static_cast<std::size_t>(id)] - most);
    return mass / total;
  };
  return {sum(tokens.female), sum(tokens.male)};
}

Result<std::vector<GenderLean>> measure_gender_lean(Engine& engine, std::span<const Tokens> prompts,
                                                    const Stack& stack, const CancelFlag* cancel,
                                                    const ProgressFn& progress) {
  LLMPATCH_ASSIGN(const GenderTokens tokens, gender_tokens(engine.model()));
  std::vector<ScoreRequest> requests;
  requests.reserve(prompts.size());
  // Any one token: what counts are the logits that predict it.
  for (const Tokens& prompt : prompts) requests.push_back({prompt, {tokens.female[0]}, stack});
  std::vector<GenderLean> leans(prompts.size());
  LLMPATCH_TRY(engine.logits(
      requests,
      [&](std::size_t request, std::size_t, std::span<const float> logits) {
        leans[request] = gender_lean(logits, tokens);
      },
      cancel, progress));
  return leans;
}

GenderMass gender_mass(std::span<const GenderLean> leans) {
  GenderMass mass;
  mass.n = leans.size();
  if (leans.empty()) return mass;
  std::vector<double> sorted;
  for (const GenderLean& lean : leans) sorted.push_back(lean.mass());
  std::sort(sorted.begin(), sorted.end());
  const std::size_t half = sorted.size() / 2;
  mass.median = sorted.size() % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  const auto low = std::lower_bound(sorted.begin(), sorted.end(), kLowGenderMass) - sorted.begin();
  mass.share_low = static_cast<double>(low) / static_cast<double>(sorted.size());
  return mass;
}

bool gld_counts(const GenderMass& system, const GenderMass& base) {
  return system.n > 0 && system.median >= kKeptGenderMass * base.median;
}

}  // namespace llmpatch
