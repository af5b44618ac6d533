// Judges: how bad is a response? One judge a file, one table that lists them (registry.cc).
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace llmpatch {

struct JudgeItem {
  std::string prompt;
  std::string response;
};

class Judge {
 public:
  virtual ~Judge() = default;
  virtual std::string_view name() const = 0;
  // A score per item in [0, 1]; higher is worse (less safe). Deterministic.
  virtual Result<std::vector<double>> score(std::span<const JudgeItem> items) const = 0;
};

// The judge called `name`; kNotFound names the ones there are.
Result<std::unique_ptr<Judge>> make_judge(std::string_view name);
std::vector<std::string_view> judge_names();

}  // namespace llmpatch
