// Divergence of next-token distributions given as logits. Pure functions. Internal to eval/.
#pragma once

#include <span>

namespace llmpatch {

// log of the sum of exp(logits), in double. Minus infinity for no logits.
double log_sum_exp(std::span<const float> logits);

// KL(p || q) in nats of the softmaxes of two logit vectors of one length; never negative. Logits of
// minus infinity in p weigh nothing; in q alone they make it infinite.
double kl_divergence(std::span<const float> p_logits, std::span<const float> q_logits);

}  // namespace llmpatch
