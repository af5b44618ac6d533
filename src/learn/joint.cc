#include "learn/joint.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <set>

#include "base/quote.h"
#include "runtime/prompt_overlap.h"

namespace llmpatch {
namespace {

namespace fs = std::filesystem;

// Keeps those entries of a list for which `keep` says so.
void keep_of(PromptList& list, const std::function<bool(const Prompt&, PromptFormat)>& keep,
             std::vector<std::string>* answers = nullptr) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < list.prompts.size(); ++i) {
    if (!keep(list.prompts[i], list.formats[i])) continue;
    if (kept != i) {
      list.prompts[kept] = std::move(list.prompts[i]);
      list.formats[kept] = list.formats[i];
      if (answers != nullptr) (*answers)[kept] = std::move((*answers)[i]);
    }
    ++kept;
  }
  list.prompts.resize(kept);
  list.formats.resize(kept);
  if (answers != nullptr) answers->resize(kept);
}

void keep_of(AnsweredPrompts& list, const std::function<bool(const Prompt&, PromptFormat)>& keep) {
  keep_of(list, keep, &list.answers);
}

// Keeps the prompts that have the `limit` smallest digests.
template <class List>
void limit_to(List& list, std::int64_t limit) {
  std::set<std::string> digests;
  for (const Prompt& prompt : list.prompts) digests.insert(prompt.digest());
  while (digests.size() > static_cast<std::size_t>(limit)) digests.erase(std::prev(digests.end()));
  keep_of(list,
          [&](const Prompt& prompt, PromptFormat) { return digests.contains(prompt.digest()); });
}

void append(const PromptList& from, std::vector<Prompt>& prompts,
            std::vector<PromptFormat>& formats) {
  prompts.insert(prompts.end(), from.prompts.begin(), from.prompts.end());
  formats.insert(formats.end(), from.formats.begin(), from.formats.end());
}

void append(const FinishedRun& run, LearnData& data) {
  append(run.pairs, data.prompts, data.prompt_formats);
  append(run.retain, data.retain, data.retain_formats);
  append(run.validate, data.validate, data.validate_formats);
  append(run.validate_retain, data.validate_retain, data.validate_retain_formats);
}

Error invalid(const std::string& message, const std::string& hint = "") {
  return make_error(ErrorKind::kInvalidArgument, "learn", message, hint);
}

Status check_base(const FinishedRun& run, const BaseIdentity& base) {
  if (run.base == base.file) return {};
  const auto named = [](const std::string& name, const std::string& digest) {
    return quote(name) + " (sha256 " + digest.substr(0, 12) + ")";
  };
  return make_error(ErrorKind::kMismatch, "learn",
                    "joint run " + run.path.string() + ": found a run of the model " +
                        named(run.base_name, run.base) + ", expected " +
                        named(base.name, base.file));
}

Status check_tests(const FinishedRun& run, const std::vector<fs::path>& tests) {
  const std::string pairs = (run.path / "pairs.jsonl").string();
  const std::string inputs = (run.path / "inputs.jsonl").string();
  for (const fs::path& file : tests) {
    LLMPATCH_ASSIGN(const auto tested, read_prompts(file, "test prompts"));
    const std::string name = file.string();
    LLMPATCH_TRY(check_no_overlap({pairs, run.pairs.prompts}, {name, tested}));
    for (const auto* prompts :
         {&run.retain.prompts, &run.validate.prompts, &run.validate_retain.prompts}) {
      LLMPATCH_TRY(check_no_overlap({inputs, *prompts}, {name, tested}));
    }
  }
  return {};
}

// What is validated on, in any run, is not learned from; and benign prompts are validated on once.
void separate(std::vector<FinishedRun>& runs) {
  std::set<std::string> held;
  std::set<std::pair<std::string, PromptFormat>> benign;
  for (FinishedRun& run : runs) {
    for (const Prompt& prompt : run.validate.prompts) held.insert(prompt.digest());
    for (const Prompt& prompt : run.validate_retain.prompts) held.insert(prompt.digest());
    keep_of(run.validate_retain, [&](const Prompt& prompt, PromptFormat format) {
      return benign.emplace(prompt.digest(), format).second;
    });
  }
  const auto learned = [&](const Prompt& prompt, PromptFormat) {
    return !held.contains(prompt.digest());
  };
  for (FinishedRun& run : runs) {
    keep_of(run.pairs, learned);
    keep_of(run.retain, learned);
    std::set<std::string> retained;
    for (const Prompt& prompt : run.retain.prompts) retained.insert(prompt.digest());
    std::erase_if(run.corrections, [&](const std::string& line) {
      const Json answer = Json::parse(line, nullptr, /*allow_exceptions=*/false);
      const Json digest = answer.is_object() ? answer.value("prompt_digest", Json()) : Json();
      return !digest.is_string() || !retained.contains(digest.get<std::string>());
    });
  }
}

}  // namespace

Status check_joint_options(const LearnOptions& options) {
  if (options.joint.size() < 2) {
    return invalid("joint runs: found one, expected two or more",
                   "give --joint RUN for the run of every risk");
  }
  const bool others = !options.prompts.empty() || !options.pairs.empty() ||
                      !options.retain.empty() || !options.validate.empty() ||
                      !options.validate_retain.empty() || has_teacher(options) ||
                      !options.chosen_text.empty() || options.best_of != 0 || options.format;
  if (others) {
    return invalid("joint runs: found other data or a teacher beside them, expected neither");
  }
  for (const fs::path& run : options.joint) {
    std::error_code code;  // its stages would be replaced by other ones
    if (fs::equivalent(run, options.run, code)) {
      return invalid("joint run " + run.string() +
                         ": found the run directory of the joint run itself, expected another",
                     "--run DIR says where the joint run keeps its stages");
    }
  }
  if (options.method == Method::kSteering) {
    return invalid("joint runs: found the method steering, expected one that learns");
  }
  return {};
}

Result<LearnData> read_joint_data(const LearnOptions& options, const BaseIdentity& base) {
  LearnData data;
  std::set<std::string> risks;
  for (const fs::path& path : options.joint) {
    LLMPATCH_ASSIGN(FinishedRun run, read_finished_run(path));
    LLMPATCH_TRY(check_base(run, base));
    if (!risks.insert(run.risk).second) {
      return invalid("joint run " + path.string() + ": found a second one of the risk " +
                         quote(run.risk) + ", expected another risk",
                     "run its own command again with another --risk and with --force: nothing is "
                     "learned anew");
    }
    limit_to(run.validate, options.validate_prompts);
    limit_to(run.validate_retain, options.validate_benign);
    LLMPATCH_TRY(check_tests(run, options.tests));
    if (run.validate.prompts.empty()) {
      return invalid("joint run " + path.string() +
                     ": found no validation prompts, expected some to measure its risk on");
    }
    data.runs.push_back(std::move(run));
  }
  separate(data.runs);
  for (const FinishedRun& run : data.runs) {
    if (run.pairs.prompts.empty()) {
      return make_error(ErrorKind::kUnmet, "learn",
                        "joint run " + run.path.string() + ": found no pairs, expected some");
    }
    append(run, data);
  }
  return data;
}

Result<std::vector<std::unique_ptr<Judge>>> make_judges(const std::vector<FinishedRun>& runs,
                                                        const JudgeOptions& options) {
  std::vector<std::unique_ptr<Judge>> judges;
  for (const FinishedRun& run : runs) {
    LLMPATCH_ASSIGN(auto judge, make_judge(run.judge, options));
    if (judge->identity() != run.judge_identity) {
      return make_error(
          ErrorKind::kMismatch, "learn",
          "joint run " + run.path.string() + ": found the judge " + quote(judge->identity(), 160) +
              ", expected the one it was made with, " + quote(run.judge_identity, 160));
    }
    judges.push_back(std::move(judge));
  }
  return judges;
}

LearnData data_of(const FinishedRun& run) {
  LearnData data;
  append(run, data);
  return data;
}

}  // namespace llmpatch
