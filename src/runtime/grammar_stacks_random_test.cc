// Random grammars, followed by GrammarStacks and by a set of plain stacks that share nothing.
#include <gtest/gtest.h>

#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/grammar_check.h"
#include "runtime/grammar_stacks.h"

namespace llmpatch {
namespace {

constexpr std::size_t kWork = 200000;
constexpr std::string_view kCharacters = "abc(";

// Grammars of few rules that refer to each other and have much in common, so that stacks meet.
class GrammarGenerator {
 public:
  std::string grammar() {
    rules_ = 1 + below(4);
    std::string text = "root ::= " + expression(0);
    for (int i = 0; i < rules_; ++i) {
      text += "\nr" + std::to_string(i) + " ::= " + expression(0);
    }
    return text;
  }
  char character() { return kCharacters[static_cast<std::size_t>(below(4))]; }
  int below(int n) { return static_cast<int>(engine_() % static_cast<std::uint32_t>(n)); }

 private:
  std::string expression(int depth) {
    std::string text;
    const int alternatives = 1 + below(3);
    for (int i = 0; i < alternatives; ++i) {
      if (i > 0) text += " | ";
      const int items = below(4);
      if (items == 0) text += "\"\"";
      for (int item = 0; item < items; ++item) text += this->item(depth) + " ";
    }
    return text;
  }
  std::string item(int depth) {
    switch (below(depth > 2 ? 3 : 6)) {
      case 0:
        return std::string("\"") + character() + "\"";
      case 1:
        return "[a-b]";
      case 2:
        return "r" + std::to_string(below(rules_));
      case 3:
        return "(" + expression(depth + 1) + ")" +
               std::string(1, " ?*+"[static_cast<std::size_t>(below(4))]);
      case 4:
        return "\"a\"{" + std::to_string(below(3)) + "," + std::to_string(3 + below(3)) + "}";
      default:
        return "[^a]";
    }
  }

  std::mt19937 engine_{7};
  int rules_ = 1;
};

// The same language by its definition: every stack of symbols still to come, the next one last.
class PlainStacks {
 public:
  explicit PlainStacks(const GrammarRules& rules) : rules_(rules) {
    GrammarSymbol root{false, 0};
    while (rules.rules[root.index].name != "root") ++root.index;
    expand({{{root.is_terminal, root.index}}});
  }

  // False once there are more stacks, or longer ones, than are worth following.
  bool is_usable() const { return usable_; }
  bool may_end() const { return stacks_.contains(Stack{}); }
  bool may_take(char c) const { return !after(c).empty(); }
  void advance(char c) { expand(after(c)); }

 private:
  using Symbol = std::pair<bool, std::size_t>;  // is it a terminal, and which
  using Stack = std::vector<Symbol>;

  std::vector<Stack> after(char c) const {
    std::vector<Stack> taken;
    for (const Stack& stack : stacks_) {
      if (stack.empty() || !rules_.terminals[stack.back().second].takes(code(c))) continue;
      taken.emplace_back(stack.begin(), stack.end() - 1);
    }
    return taken;
  }
  static std::uint32_t code(char c) { return static_cast<unsigned char>(c); }

  // Replaces rules at the top by their alternatives until every stack is empty or at a terminal.
  void expand(std::vector<Stack> open) {
    std::set<Stack> seen;
    stacks_.clear();
    while (!open.empty()) {
      Stack stack = std::move(open.back());
      open.pop_back();
      if (!seen.insert(stack).second) continue;
      if (seen.size() > 3000 || stack.size() > 60) {
        usable_ = false;
        return;
      }
      if (stack.empty() || stack.back().first) {
        stacks_.insert(std::move(stack));
        continue;
      }
      const std::size_t rule = stack.back().second;
      stack.pop_back();
      for (const auto& alternative : rules_.rules[rule].alternatives) {
        Stack next = stack;
        for (auto symbol = alternative.rbegin(); symbol != alternative.rend(); ++symbol) {
          next.emplace_back(symbol->is_terminal, symbol->index);
        }
        open.push_back(std::move(next));
      }
    }
  }

  const GrammarRules& rules_;
  std::set<Stack> stacks_;
  bool usable_ = true;
};

// Whether some character may follow, found as a mask is: by trying it and returning to a mark.
std::optional<bool> may_take(GrammarStacks& stacks, const GrammarStacks::Front& front, char c) {
  const GrammarStacks::Mark mark = stacks.mark();
  GrammarStacks::Front next;
  stacks.allow_work(kWork);
  stacks.advance(front, static_cast<unsigned char>(c), next);
  const bool taken = !next.empty(), exhausted = stacks.is_exhausted();
  stacks.return_to(mark);
  stacks.allow_work(kWork);
  return exhausted ? std::nullopt : std::optional(taken);
}

// Follows a random text for up to 30 characters; returns at how many places both were compared.
int compare(const GrammarRules& rules, GrammarGenerator& random) {
  GrammarStacks stacks(rules);
  stacks.allow_work(kWork);
  GrammarStacks::Front front = stacks.start();
  PlainStacks plain(rules);
  int compared = 0;
  while (compared < 30 && plain.is_usable() && !front.empty() && !stacks.is_exhausted()) {
    EXPECT_EQ(stacks.may_end(front), plain.may_end());
    for (const char c : kCharacters) {
      const auto taken = may_take(stacks, front, c);
      if (taken) EXPECT_EQ(*taken, plain.may_take(c)) << c;
    }
    if (::testing::Test::HasFailure()) break;
    ++compared;
    const char c = random.character();
    GrammarStacks::Front next;
    stacks.advance(front, static_cast<unsigned char>(c), next);
    front = std::move(next);
    plain.advance(c);
    if (random.below(5) == 0) stacks.keep_only(front);
  }
  return compared;
}

TEST(GrammarStacks, TakesWhatPlainStacksTakeOfRandomGrammars) {
  GrammarGenerator random;
  int grammars = 0, compared = 0;
  while (grammars < 2000) {
    const std::string text = random.grammar();
    const auto rules = parse_grammar(text);
    // Left recursion and grammars without end are none that GrammarStacks is for.
    if (!rules.ok() || !check_grammar(*rules).ok()) continue;
    ++grammars;
    compared += compare(*rules, random);
    ASSERT_FALSE(HasFailure()) << text;
  }
  EXPECT_GT(compared, grammars);  // it is not all over at the first character
}

}  // namespace
}  // namespace llmpatch
