#include "runtime/grammar_stacks.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace llmpatch {
namespace {

constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint32_t kBottom = 0;  // the node below all others
constexpr std::size_t kBuckets = 1024;
constexpr std::size_t kFirstSeen = 64;
constexpr std::size_t kMostSeen = std::size_t{1} << 16;  // at one place

std::uint32_t mixed(std::uint32_t hash, std::uint32_t value) {
  hash = (hash ^ value) * 0x9E3779B1u;
  return hash ^ hash >> 15;
}

}  // namespace

GrammarStacks::GrammarStacks(const GrammarRules& rules) : terminals_(rules.terminals) {
  elements_.push_back({Kind::kEnd, 0});  // where the bottom goes on
  for (const GrammarRules::Rule& rule : rules.rules) {
    if (rule.name == "root") root_ = static_cast<std::uint32_t>(alternatives_.size());
    alternatives_.emplace_back();
    for (const auto& alternative : rule.alternatives) {
      alternatives_.back().push_back(static_cast<std::uint32_t>(elements_.size()));
      for (const GrammarSymbol& symbol : alternative) {
        elements_.push_back({symbol.is_terminal ? Kind::kTerminal : Kind::kRule, symbol.index});
      }
      elements_.push_back({Kind::kEnd, 0});
    }
  }
  entered_.resize(elements_.size());
  seen_.resize(kFirstSeen);
  nodes_.push_back({0, kNone, false, false, 0, kNone});
  buckets_.assign(kBuckets, kNone);
}

bool GrammarStacks::work(std::size_t steps) {
  if (work_left_ < steps) {
    work_left_ = 0;
    exhausted_ = true;
    return false;
  }
  work_left_ -= steps;
  return true;
}

// Follows a stack unless it was seen at this place.
void GrammarStacks::push(const Stack& stack) {
  if (2 * seen_count_ >= seen_.size()) grow_seen();
  const std::size_t mask = seen_.size() - 1;
  std::size_t i = mixed(mixed(0, stack.at), stack.below) & mask;
  for (; seen_[i].place == place_; i = (i + 1) & mask) {
    if (!work() || seen_[i].stack == stack) return;
  }
  if (!work(seen_count_ < kMostSeen ? 1 : work_left_ + 1)) return;
  seen_[i] = {place_, stack};
  ++seen_count_;
  open_.push_back(stack);
}

// To a power of two, for those seen at this place.
void GrammarStacks::grow_seen() {
  const std::vector<Seen> old = std::exchange(seen_, std::vector<Seen>(2 * seen_.size()));
  const std::size_t mask = seen_.size() - 1;
  for (const Seen& seen : old) {
    if (seen.place != place_) continue;
    std::size_t i = mixed(mixed(0, seen.stack.at), seen.stack.below) & mask;
    while (seen_[i].place == place_) i = (i + 1) & mask;
    seen_[i] = seen;
  }
}

// The rule that the stack is at.
void GrammarStacks::enter(const Stack& stack) {
  const auto& alternatives = alternatives_[elements_[stack.at].index];
  const std::uint32_t after = stack.at + 1;
  std::uint32_t below = stack.below;
  // The last rule of a rule returns where that one does: lists do not grow the stack.
  if (elements_[after].kind != Kind::kEnd) {
    Entered& entered = entered_[after];
    if (entered.place != place_) {
      entered = {place_, static_cast<std::uint32_t>(nodes_.size())};
      nodes_.push_back({after, kNone, false, false, 0, kNone});
    }
    below = entered.node;
    Node& node = nodes_[below];
    edges_.push_back({stack.below, node.first_edge});
    node.first_edge = static_cast<std::uint32_t>(edges_.size() - 1);
    if (node.is_done) push({after, stack.below});
  }
  for (const std::uint32_t alternative : alternatives) push({alternative, below});
}

// Goes on where the node does.
void GrammarStacks::leave(std::uint32_t index) {
  Node& node = nodes_[index];
  // It may still be entered from elsewhere, at the same place.
  if (index >= place_begin_.nodes) node.is_done = true;
  for (std::uint32_t i = node.first_edge; i != kNone; i = edges_[i].next) {
    if (!work()) return;
    push({node.at, edges_[i].to});
  }
}

// Follows the open stacks to where each takes a character, or ends.
void GrammarStacks::close(Front& to) {
  while (!open_.empty() && !exhausted_) {
    const Stack stack = open_.back();
    open_.pop_back();
    switch (elements_[stack.at].kind) {
      case Kind::kTerminal:
        to.push_back(stack);
        break;
      case Kind::kRule:
        enter(stack);
        break;
      case Kind::kEnd:
        if (stack.below == kBottom) {
          to.push_back(stack);
        } else {
          leave(stack.below);
        }
        break;
    }
  }
  open_.clear();
  unite(to);
}

// Returns the first of them.
std::uint32_t GrammarStacks::add_edges(const std::vector<std::uint32_t>& to) {
  std::uint32_t first = kNone;
  for (auto it = to.rbegin(); it != to.rend(); ++it) {
    edges_.push_back({*it, first});
    first = static_cast<std::uint32_t>(edges_.size() - 1);
  }
  return first;
}

std::uint32_t GrammarStacks::hash(const Node& node) const {
  std::uint32_t hash = mixed(0, node.at);
  for (std::uint32_t i = node.first_edge; i != kNone; i = edges_[i].next) {
    hash = mixed(hash, edges_[i].to);
  }
  return hash;
}

// Lets later nodes become this one.
void GrammarStacks::list(Node& node, std::uint32_t index) {
  node.is_listed = true;
  node.hash = hash(node);
  node.next = std::exchange(bucket(node), index);
}

bool GrammarStacks::returns_alike(const Node& a, const Node& b) {
  if (a.hash != b.hash || a.at != b.at) return false;
  std::uint32_t i = a.first_edge, j = b.first_edge;
  while (i != kNone && j != kNone && edges_[i].to == edges_[j].to && work()) {
    i = edges_[i].next;
    j = edges_[j].next;
  }
  return i == j;  // both at the end
}

// Makes nodes of this place those of earlier ones that return alike, where there are such: else a
// list within a list would leave one for each place that an item may have begun at.
void GrammarStacks::unite(Front& to) {
  const auto first = static_cast<std::uint32_t>(place_begin_.nodes);
  united_.assign(nodes_.size() - first, kNone);
  std::size_t left = united_.size(), before = left + 1;
  bool are_new = false, are_united = false;
  // What a node returns to comes first; what goes round in a circle, through rules that may be
  // empty, stays as it is.
  while (left > 0 && left < before) {
    before = left;
    for (std::uint32_t index = first; index < nodes_.size(); ++index) {
      if (united_[index - first] != kNone || !settle(index)) continue;
      --left;
      Node& node = nodes_[index];
      std::uint32_t other = bucket(node);
      while (other != kNone && work() && !returns_alike(nodes_[other], node)) {
        other = nodes_[other].next;
      }
      are_united = are_united || other != kNone;
      are_new = are_new || other == kNone;
      united_[index - first] = other == kNone ? index : other;
      if (other == kNone) list(node, index);
    }
  }
  if (!are_united || exhausted_) return;
  for (Stack& stack : to) {
    if (stack.below < first || united_[stack.below - first] == kNone) continue;
    stack.below = united_[stack.below - first];
  }
  std::sort(to.begin(), to.end());
  to.erase(std::unique(to.begin(), to.end()), to.end());
  if (left == 0 && !are_new) return_to(place_begin_);
}

// Brings the returns of a node in order, where all are known.
bool GrammarStacks::settle(std::uint32_t index) {
  const auto first = static_cast<std::uint32_t>(place_begin_.nodes);
  Node& node = nodes_[index];
  returns_.clear();
  for (std::uint32_t i = node.first_edge; i != kNone; i = edges_[i].next) {
    if (!work()) return false;
    std::uint32_t to = edges_[i].to;
    if (to >= first) to = united_[to - first];
    if (to == kNone) return false;
    returns_.push_back(to);
  }
  std::sort(returns_.begin(), returns_.end());
  returns_.erase(std::unique(returns_.begin(), returns_.end()), returns_.end());
  node.first_edge = add_edges(returns_);
  node.hash = hash(node);
  return true;
}

GrammarStacks::Front GrammarStacks::start() {
  Front front;
  ++place_;
  seen_count_ = 0;
  place_begin_ = mark();
  for (const std::uint32_t alternative : alternatives_[root_]) push({alternative, kBottom});
  close(front);
  return front;
}

void GrammarStacks::step(const Front& from, std::uint32_t value, bool is_token, Front& to) {
  to.clear();
  ++place_;
  seen_count_ = 0;
  place_begin_ = mark();
  taken_.clear();
  for (const Stack& stack : from) {
    if (!work()) return;
    const Element& element = elements_[stack.at];
    if (element.kind != Kind::kTerminal) continue;
    const GrammarTerminal& terminal = terminals_[element.index];
    if (terminal.is_token == is_token && terminal.takes(value)) {
      taken_.push_back({stack.at + 1, stack.below});
    }
  }
  if (taken_.empty()) return;
  if (taken_ == last_taken_) {
    if (work(last_front_.size())) to = last_front_;
    return;
  }
  for (const Stack& stack : taken_) push(stack);
  close(to);
  if (exhausted_ || nodes_.size() > place_begin_.nodes) return;
  last_taken_ = taken_;
  last_front_ = to;
}

bool GrammarStacks::may_end(const Front& front) const {
  return std::any_of(front.begin(), front.end(),
                     [&](const Stack& stack) { return elements_[stack.at].kind == Kind::kEnd; });
}

bool GrammarStacks::may_take(const Front& front, std::uint32_t first, std::uint32_t last) {
  return std::any_of(front.begin(), front.end(), [&](const Stack& stack) {
    const Element& element = elements_[stack.at];
    if (!work() || element.kind != Kind::kTerminal) return false;
    const GrammarTerminal& terminal = terminals_[element.index];
    return !terminal.is_token && terminal.takes_any(first, last);
  });
}

bool GrammarStacks::wants_token(const Front& front) const {
  return std::any_of(front.begin(), front.end(), [&](const Stack& stack) {
    const Element& element = elements_[stack.at];
    return element.kind == Kind::kTerminal && terminals_[element.index].is_token;
  });
}

void GrammarStacks::return_to(const Mark& mark) {
  for (std::size_t i = mark.nodes; i < nodes_.size(); ++i) {
    if (!nodes_[i].is_listed) continue;
    std::uint32_t& last = bucket(nodes_[i]);
    while (last != kNone && last >= mark.nodes) last = nodes_[last].next;
  }
  // What is known of the last step may be of nodes that go.
  if (nodes_.size() > mark.nodes) last_taken_.clear();
  nodes_.resize(mark.nodes);
  edges_.resize(mark.edges);
}

void GrammarStacks::keep_only(Front& front) {
  std::vector<std::uint32_t> moved(nodes_.size(), kNone), open;
  std::vector<std::uint32_t> kept{kBottom};
  moved[kBottom] = 0;
  last_taken_.clear();
  for (const Stack& stack : front) open.push_back(stack.below);
  while (!open.empty()) {
    const std::uint32_t node = open.back();
    open.pop_back();
    if (moved[node] != kNone) continue;
    moved[node] = 0;
    kept.push_back(node);
    for (std::uint32_t i = nodes_[node].first_edge; i != kNone; i = edges_[i].next) {
      open.push_back(edges_[i].to);
    }
  }
  // In their order, by which returns are sorted.
  std::sort(kept.begin(), kept.end());
  for (std::size_t i = 0; i < kept.size(); ++i) moved[kept[i]] = static_cast<std::uint32_t>(i);
  const std::vector<Node> nodes = std::exchange(nodes_, {});
  const std::vector<Edge> edges = std::exchange(edges_, {});
  std::fill(buckets_.begin(), buckets_.end(), kNone);
  for (const std::uint32_t old : kept) {
    Node node = nodes[old];
    std::vector<std::uint32_t> returns;
    for (std::uint32_t i = node.first_edge; i != kNone; i = edges[i].next) {
      returns.push_back(moved[edges[i].to]);
    }
    node.first_edge = add_edges(returns);
    if (node.is_listed) list(node, static_cast<std::uint32_t>(nodes_.size()));
    nodes_.push_back(node);
  }
  for (Stack& stack : front) stack.below = moved[stack.below];
}

}  // namespace llmpatch
