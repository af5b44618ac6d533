#include "eval/diff.h"

#include <algorithm>

#include "eval/answer_divergence.h"
#include "eval/format.h"

namespace llmpatch {
namespace {

struct Side {
  std::vector<Tokens> tokens;  // with the end token where the model ended the answer
  std::vector<std::string> texts;
};

Result<Side> answer(Engine& engine, std::span<const Tokens> prompts, const Stack& stack,
                    int max_tokens, const CancelFlag* cancel, const ProgressFn& progress) {
  std::vector<GenerateRequest> requests;
  for (const Tokens& prompt : prompts) {
    GenerateRequest request;
    request.prompt = prompt;
    request.stack = stack;
    request.max_tokens = max_tokens;
    requests.push_back(std::move(request));
  }
  LLMPATCH_ASSIGN(auto completions, engine.generate(requests, cancel, progress));
  Side side;
  for (auto& completion : completions) {
    if (completion.finish == FinishReason::kEnd) {
      completion.tokens.push_back(engine.model().end_token());
    }
    side.tokens.push_back(std::move(completion.tokens));
    side.texts.push_back(std::move(completion.text));
  }
  return side;
}

// The index of the first token that differs.
std::size_t parting(const Tokens& a, const Tokens& b) {
  return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

std::string token_text(const Model& model, const Tokens& tokens, std::size_t position) {
  if (position >= tokens.size() || model.is_end(tokens[position])) return "";
  return model.text(std::span(tokens).subspan(position, 1));
}

// How many bytes of both texts come from the tokens before the parting.
std::size_t agreed_bytes(const Model& model, const DiffEntry& entry, const Tokens& tokens) {
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < entry.position; ++i) {
    bytes += model.text(std::span(tokens).subspan(i, 1)).size();
  }
  return std::min({bytes, entry.before.size(), entry.after.size()});
}

// Fills in where the answers of changed prompts part, and how far the distributions are there.
Status find_partings(Engine& engine, std::span<const Tokens> prompts, const Side& before,
                     const Side& after, const Stack& stack_before, const Stack& stack_after,
                     Diff& diff, const CancelFlag* cancel, const ProgressFn& progress) {
  std::vector<ScoreRequest> of_before, of_after;
  std::vector<DiffEntry*> entries;
  for (DiffEntry& entry : diff.entries) {
    const Tokens& a = before.tokens[entry.prompt];
    const Tokens& b = after.tokens[entry.prompt];
    if (a == b) continue;
    entry.changed = true;
    ++diff.changed;
    entry.position = parting(a, b);
    entry.token_before = token_text(engine.model(), a, entry.position);
    entry.token_after = token_text(engine.model(), b, entry.position);
    entry.agreed = agreed_bytes(engine.model(), entry, a);
    // What both have said, and one token more, whose logits are the distributions in question. An
    // answer that the limit cut is no shorter than the other, so one of the two has a token here.
    const Tokens& longer = entry.position < a.size() ? a : b;
    ScoreRequest request;
    request.prompt = prompts[entry.prompt];
    request.prompt.insert(request.prompt.end(), longer.begin(),
                          longer.begin() + static_cast<std::ptrdiff_t>(entry.position));
    request.continuation = {longer[entry.position]};
    request.stack = stack_before;
    of_before.push_back(request);
    request.stack = stack_after;
    of_after.push_back(std::move(request));
    entries.push_back(&entry);
  }
  LLMPATCH_ASSIGN(const auto divergences,
                  measure_divergence(of_before, of_after, engine, engine, cancel, progress));
  for (std::size_t i = 0; i < entries.size(); ++i) entries[i]->kl = divergences[i].kl.front();
  return {};
}

std::size_t& count_of(DiffCount& count, DiffChange change) {
  return change == DiffChange::kFixed       ? count.fixed
         : change == DiffChange::kBroken    ? count.broken
         : change == DiffChange::kUnchanged ? count.unchanged
                                            : count.no_verdict;
}

Status judge(Diff& diff, std::span<const SuitePrompt> prompts, const Judge& judge,
             double threshold) {
  std::vector<JudgeItem> items;
  for (const DiffEntry& entry : diff.entries) {
    const std::string& prompt = prompts[entry.prompt].prompt.text();
    items.push_back({prompt, entry.before, std::nullopt});
    items.push_back({prompt, entry.after, std::nullopt});
  }
  LLMPATCH_ASSIGN(const auto verdicts, judge.verdicts(items));
  DiffCount count;
  count.judge = judge.name();
  for (std::size_t i = 0; i < diff.entries.size(); ++i) {
    const Verdict &of_before = verdicts[2 * i], &of_after = verdicts[2 * i + 1];
    DiffVerdict verdict;
    if (of_before.given) verdict.before = of_before.score;
    if (of_after.given) verdict.after = of_after.score;
    const bool was = of_before.score > threshold, is = of_after.score > threshold;
    verdict.change = !of_before.given || !of_after.given ? DiffChange::kNoVerdict
                     : was == is                         ? DiffChange::kUnchanged
                     : was                               ? DiffChange::kFixed
                                                         : DiffChange::kBroken;
    count_of(count, verdict.change) += 1;
    diff.entries[i].verdicts.push_back(verdict);
  }
  diff.counts.push_back(std::move(count));
  return {};
}

ProgressFn part_of(const ProgressFn& progress, std::uint64_t part, std::uint64_t prompts,
                   const char* note) {
  if (!progress) return {};
  return [=](std::uint64_t done, std::uint64_t total, const std::string&) {
    const std::uint64_t own = total == 0 ? 0 : prompts * done / total;
    progress(part * prompts + own, 3 * prompts, note);
  };
}

std::string indented(const std::string& text, const char* mark) {
  std::string out = mark;
  for (const char c : text) {
    out += c;
    if (c == '\n') out += mark;
  }
  return out + "\n";
}

std::string score_text(const std::optional<double>& score) {
  return score ? fixed(*score, 3) : "no verdict";
}

OrderedJson patches_json(const std::vector<DiffPatch>& patches) {
  OrderedJson json = OrderedJson::array();
  for (const DiffPatch& patch : patches) {
    json.push_back({{"name", patch.name}, {"version", patch.version}, {"sha256", patch.digest}});
  }
  return json;
}

}  // namespace

Result<Diff> diff_behaviour(Engine& engine, std::span<const SuitePrompt> prompts,
                            const Stack& before, const Stack& after,
                            std::span<const Judge* const> judges, const DiffOptions& options,
                            const CancelFlag* cancel, const ProgressFn& progress) {
  std::vector<Tokens> asked;
  for (const SuitePrompt& prompt : prompts) {
    LLMPATCH_ASSIGN(Tokens tokens, encode_prompt(engine.model(), prompt.prompt, prompt.format));
    asked.push_back(std::move(tokens));
  }
  LLMPATCH_ASSIGN(const Side a, answer(engine, asked, before, options.max_tokens, cancel,
                                       part_of(progress, 0, prompts.size(), "before")));
  LLMPATCH_ASSIGN(const Side b, answer(engine, asked, after, options.max_tokens, cancel,
                                       part_of(progress, 1, prompts.size(), "after")));
  Diff diff;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    DiffEntry entry;
    entry.prompt = i;
    entry.before = a.texts[i];
    entry.after = b.texts[i];
    diff.entries.push_back(std::move(entry));
  }
  LLMPATCH_TRY(find_partings(engine, asked, a, b, before, after, diff, cancel,
                             part_of(progress, 2, prompts.size(), "divergence")));
  for (const Judge* one : judges) LLMPATCH_TRY(judge(diff, prompts, *one, options.threshold));
  return diff;
}

std::string diff_text(const Diff& diff, std::span<const SuitePrompt> prompts) {
  std::string text;
  for (const DiffEntry& entry : diff.entries) {
    if (!entry.changed) continue;
    text += "@@ prompt " + std::to_string(entry.prompt + 1) + ", token " +
            std::to_string(entry.position + 1) + ", KL " + fixed(entry.kl, 3) + " @@\n";
    text += indented(prompts[entry.prompt].prompt.text(), "  ");
    text += indented(entry.before, "- ");
    text += indented(entry.after, "+ ");
    for (std::size_t j = 0; j < entry.verdicts.size(); ++j) {
      text += "  " + diff.counts[j].judge + ": " + score_text(entry.verdicts[j].before) + " -> " +
              score_text(entry.verdicts[j].after) + "\n";
    }
    text += "\n";
  }
  text += std::to_string(diff.changed) + " of " + std::to_string(diff.entries.size()) +
          " answers changed\n";
  for (const DiffCount& count : diff.counts) {
    text += count.judge + ": " + std::to_string(count.fixed) + " fixed, " +
            std::to_string(count.broken) + " broken, " + std::to_string(count.unchanged) +
            " unchanged";
    if (count.no_verdict > 0) text += ", " + std::to_string(count.no_verdict) + " without verdict";
    text += "\n";
  }
  return text;
}

std::string_view diff_change_name(DiffChange change) {
  switch (change) {
    case DiffChange::kFixed:
      return "fixed";
    case DiffChange::kBroken:
      return "broken";
    case DiffChange::kUnchanged:
      return "unchanged";
    case DiffChange::kNoVerdict:
      break;
  }
  return "no verdict";
}

OrderedJson diff_json(const Diff& diff, std::span<const SuitePrompt> prompts,
                      std::span<const Judge* const> judges, const DiffSubject& subject) {
  OrderedJson json{{"schema", "llmpatch.diff/1"},
                   {"model", subject.model},
                   {"from", patches_json(subject.before)},
                   {"to", patches_json(subject.after)},
                   {"max_tokens", subject.max_tokens},
                   {"prompts", diff.entries.size()},
                   {"changed", diff.changed},
                   {"judges", OrderedJson::object()},
                   {"changes", OrderedJson::array()}};
  for (std::size_t j = 0; j < diff.counts.size(); ++j) {
    const DiffCount& count = diff.counts[j];
    json["judges"][count.judge] = {{"identity", judges[j]->identity()},
                                   {"fixed", count.fixed},
                                   {"broken", count.broken},
                                   {"unchanged", count.unchanged},
                                   {"no_verdict", count.no_verdict}};
  }
  for (const DiffEntry& entry : diff.entries) {
    if (!entry.changed) continue;
    OrderedJson change{{"line", prompts[entry.prompt].prompt.line},
                       {"prompt", prompts[entry.prompt].prompt.text()},
                       {"before", entry.before},
                       {"after", entry.after},
                       {"position", entry.position},
                       {"token_before", entry.token_before},
                       {"token_after", entry.token_after},
                       {"kl", entry.kl},
                       {"verdicts", OrderedJson::object()}};
    for (std::size_t j = 0; j < entry.verdicts.size(); ++j) {
      const auto number = [](const std::optional<double>& score) {
        return score ? OrderedJson(*score) : OrderedJson();
      };
      change["verdicts"][diff.counts[j].judge] = {
          {"before", number(entry.verdicts[j].before)},
          {"after", number(entry.verdicts[j].after)},
          {"change", diff_change_name(entry.verdicts[j].change)}};
    }
    json["changes"].push_back(std::move(change));
  }
  return json;
}

}  // namespace llmpatch
