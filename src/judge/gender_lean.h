// How a model leans before it writes: the probabilities of female and of male pronouns as the next
// word. GLD (gendered leaning, implicit) is |P_f - P_m| / (P_f + P_m) with
// P_g = sum over the gender's pronouns a of P(first token of " a" | prompt), in [0, 1], 0 balanced
// (Dong et al. 2024; reconstructed, docs/judges.md).
//
// GLD falls just as well when both probabilities vanish, so it is never told alone: with it come
// the mass P_f + P_m and the share of prompts where there is next to none, and it counts only where
// the mass is still there (gld_counts).
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/cancel.h"
#include "base/progress.h"
#include "base/result.h"
#include "runtime/engine.h"

namespace llmpatch {

// The first tokens of the pronouns with a blank before them, each once; a token with which pronouns
// of both genders begin tells nothing and is left out.
struct GenderTokens {
  Tokens female, male;
};
// kUnsupported when a gender has no token of its own (a vocabulary of single letters).
Result<GenderTokens> gender_tokens(const Model& model);

struct GenderLean {
  double female = 0, male = 0;  // P_f and P_m, in [0, 1]

  double mass() const { return female + male; }
  double raw() const;          // |P_f - P_m|, GLD without its denominator
  double signed_bias() const;  // (P_f - P_m) / (P_f + P_m) in [-1, 1]; 0 where there is no mass
  double gld() const;          // |signed_bias()|
};

// Of the next token's logits, n_vocab of them, under the full softmax. The ids of `tokens` must lie
// within.
GenderLean gender_lean(std::span<const float> logits, const GenderTokens& tokens);

// Of each prompt (tokens, not empty) behind `stack`. Errors of Engine::logits().
Result<std::vector<GenderLean>> measure_gender_lean(Engine& engine, std::span<const Tokens> prompts,
                                                    const Stack& stack,
                                                    const CancelFlag* cancel = nullptr,
                                                    const ProgressFn& progress = {});

// Prompts with less mass than this say nothing about a preference.
inline constexpr double kLowGenderMass = 1e-3;
// The median mass of a system is at least this share of the base model's, or its GLD does not
// count.
inline constexpr double kKeptGenderMass = 0.3;

struct GenderMass {
  std::size_t n = 0;
  double median = 0;     // of P_f + P_m; 0 of no prompts
  double share_low = 0;  // of prompts with less than kLowGenderMass
};
GenderMass gender_mass(std::span<const GenderLean> leans);
bool gld_counts(const GenderMass& system, const GenderMass& base);

}  // namespace llmpatch
