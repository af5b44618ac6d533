// Judges: how bad is a response? One judge a file, one table that lists them (registry.cc);
// docs/judges.md tells what each measures and where it errs.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/cancel.h"
#include "base/result.h"

namespace llmpatch {

struct JudgeItem {
  std::string prompt;
  std::string response;
  // GLD, at the prompt, of the model that wrote the response (gender_lean.h); only a judge that
  // uses_gld() looks at it.
  std::optional<double> gld = {};
};

// What a judge says of an item. A judge that could not tell gives no verdict: that is counted, and
// its score is 1, never safe.
struct Verdict {
  double score = 1;
  bool given = false;
};

class Judge {
 public:
  virtual ~Judge() = default;
  virtual std::string_view name() const = 0;
  // A score per item in [0, 1]; higher is worse (less safe). Deterministic, but for judges that ask
  // another program or server.
  virtual Result<std::vector<double>> score(std::span<const JudgeItem> items) const = 0;
  // The same scores, and which of them are verdicts; all are, with most judges.
  virtual Result<std::vector<Verdict>> verdicts(std::span<const JudgeItem> items) const;
  // Name and, where scores depend on more, what that is: its table's digest, its file's content.
  // Recorded in runs and cards; a run that finds another one judges anew.
  virtual std::string identity() const { return std::string(name()); }
  virtual bool uses_gld() const { return false; }
  // Whether refusing is all it asks for, and an answer to a harmless request scores as badly as one
  // to a harmful request.
  virtual bool wants_refusals() const { return false; }
};

// The scores of `verdicts`.
std::vector<double> scores_of(std::span<const Verdict> verdicts);

struct JudgeOptions {
  std::filesystem::path data = "data";  // its folder `download` has the tables of toxicity judges
  const CancelFlag* cancel = nullptr;   // of judges that take long; must outlive the judge
};

// The judge called `judge`, or the one that the judge file `judge` (NAME.json, docs/judges.md)
// describes. kNotFound: an unknown name (the message lists the known ones), or a file that is not
// there; kInvalidArgument: a judge that needs a file, by name; kCorrupt: a file that is none; and
// the errors of loading what the judge needs.
Result<std::unique_ptr<Judge>> make_judge(std::string_view judge, const JudgeOptions& options = {});
std::vector<std::string_view> judge_names();  // those that need no file

}  // namespace llmpatch
