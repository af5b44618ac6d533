#include "runtime/grammar_check.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace llmpatch {
namespace {

constexpr std::size_t kMaxBeginnings = 1000;
constexpr std::size_t kMaxAllBeginnings = 10000000;

// Which rules may be empty: those with an alternative of nothing but such rules.
std::vector<bool> empty_rules(const GrammarRules& grammar) {
  struct Place {
    std::size_t rule, alternative;
  };
  std::vector<std::vector<Place>> uses(grammar.rules.size());
  std::vector<std::vector<std::size_t>> missing(grammar.rules.size());  // per alternative
  std::vector<bool> empty(grammar.rules.size());
  std::vector<std::size_t> found;
  const auto mark = [&](std::size_t rule) {
    if (empty[rule]) return;
    empty[rule] = true;
    found.push_back(rule);
  };
  for (std::size_t rule = 0; rule < grammar.rules.size(); ++rule) {
    const auto& alternatives = grammar.rules[rule].alternatives;
    for (std::size_t i = 0; i < alternatives.size(); ++i) {
      missing[rule].push_back(alternatives[i].size());
      if (alternatives[i].empty()) mark(rule);
      for (const GrammarSymbol& symbol : alternatives[i]) {
        if (!symbol.is_terminal) uses[symbol.index].push_back({rule, i});
      }
    }
  }
  while (!found.empty()) {
    const std::size_t rule = found.back();
    found.pop_back();
    for (const Place& place : uses[rule]) {
      if (--missing[place.rule][place.alternative] == 0) mark(place.rule);
    }
  }
  return empty;
}

// Per rule, the rules it can begin with, as often as it can.
std::vector<std::vector<std::size_t>> first_rules(const GrammarRules& grammar) {
  const std::vector<bool> empty = empty_rules(grammar);
  std::vector<std::vector<std::size_t>> firsts(grammar.rules.size());
  for (std::size_t rule = 0; rule < grammar.rules.size(); ++rule) {
    for (const auto& alternative : grammar.rules[rule].alternatives) {
      for (const GrammarSymbol& symbol : alternative) {
        if (symbol.is_terminal) break;
        firsts[rule].push_back(symbol.index);
        if (!empty[symbol.index]) break;
      }
    }
  }
  return firsts;
}

Error refused(ErrorKind kind, const GrammarRules& grammar, std::size_t rule,
              const std::string& what) {
  const std::string& name = grammar.rules[rule].name;
  const std::string named = name.empty() ? "a group or repetition" : "rule '" + name + "'";
  return make_error(kind, "runtime", "grammar: " + named + " " + what);
}

}  // namespace

Status check_grammar(std::string_view text) {
  LLMPATCH_ASSIGN(const GrammarRules grammar, parse_grammar(text));
  return check_grammar(grammar);
}

Status check_grammar(const GrammarRules& grammar) {
  const auto is_root = [](const GrammarRules::Rule& rule) { return rule.name == "root"; };
  if (std::none_of(grammar.rules.begin(), grammar.rules.end(), is_root)) {
    return make_error(ErrorKind::kInvalidArgument, "runtime",
                      "grammar: found no rule 'root', expected one to begin with");
  }

  // Rules in an order in which those they begin with come first.
  const auto firsts = first_rules(grammar);
  std::vector<std::vector<std::size_t>> begun_by(firsts.size());
  std::vector<std::size_t> open(firsts.size()), order;
  for (std::size_t rule = 0; rule < firsts.size(); ++rule) {
    open[rule] = firsts[rule].size();
    if (open[rule] == 0) order.push_back(rule);
    for (const std::size_t first : firsts[rule]) begun_by[first].push_back(rule);
  }
  for (std::size_t i = 0; i < order.size(); ++i) {
    for (const std::size_t rule : begun_by[order[i]]) {
      if (--open[rule] == 0) order.push_back(rule);
    }
  }
  if (order.size() < firsts.size()) {
    const auto left = std::find_if(open.begin(), open.end(), [](std::size_t n) { return n > 0; });
    return refused(ErrorKind::kInvalidArgument, grammar,
                   static_cast<std::size_t>(left - open.begin()),
                   "can begin with itself, or with a rule that can");
  }

  // Ways to begin, every rule on the way counted.
  std::vector<std::size_t> ways(firsts.size());
  std::size_t all = 0;
  for (const std::size_t rule : order) {
    ways[rule] = grammar.rules[rule].alternatives.size();
    for (const std::size_t first : firsts[rule]) ways[rule] += ways[first];
    all += ways[rule];
    if (ways[rule] > kMaxBeginnings || all > kMaxAllBeginnings) {
      return refused(
          ErrorKind::kLimit, grammar, rule,
          "can begin in too many ways, expected at most " + std::to_string(kMaxBeginnings));
    }
  }
  return {};
}

}  // namespace llmpatch
