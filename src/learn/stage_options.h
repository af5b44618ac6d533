// What a stage of learning is asked to do.
#pragma once

#include <cstdint>

#include "learn/adam.h"

namespace llmpatch {

enum class Objective { kSft, kDpo };

struct StageOptions {
  Objective objective = Objective::kSft;
  Schedule schedule;
  std::int64_t pairs_per_step = 8;
  std::int64_t corrections_per_step = 0;
  std::int64_t retained_per_step = 32;
  // Of KL(base || patched) over a retained answer, summed over its tokens: a mean would let the
  // first token, where a refusal is decided, count for little.
  double retain_weight = 1;
  // Beside these, texts with longer answers, and the weight of their mean KL per token: how the
  // answer goes on is kept by few of them, how it begins takes many.
  std::int64_t whole_retained_per_step = 0;
  double whole_retain_weight = 0;
  // What an answer will be is decided by its first token: its log-probability in a chosen answer
  // counts so much more (SFT), and that a benign answer begins as a chosen one, or as the base
  // model's own refusals of benign prompts do, costs so much.
  double first_token_weight = 0;
  double unlikelihood_weight = 0;
  // Whether that is judged by what greedy decoding takes, or by probability: a refusal with a third
  // of the probability is what greedy decoding answers where every other beginning has less.
  bool greedy = false;
  std::int64_t answer_tokens = 0;  // SFT learns so many of each chosen answer, and one answer of a
                                   // step whole; 0: all of them whole
  double easy_rate = 1;            // SFT: ImportanceSampler's
  double beta = 0.1;               // DPO
  double averaging = 0.97;         // of the running mean of rows that is validated; 0: the rows
  std::int64_t evaluate_every = 10;  // steps between validations
  std::int64_t patience = 0;  // stop after so many validations without a better one; 0: never
  std::uint64_t seed = 0;
};

}  // namespace llmpatch
