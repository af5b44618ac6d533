// Follows a grammar character by character.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "runtime/grammar_rules.h"

namespace llmpatch {

// The stacks that a grammar may be in, as one graph (a graph-structured stack, as in GLL parsing):
// rules that were entered at the same place in the text, to go on at the same place in the grammar
// afterwards, are one node, however many ways lead to it; so are those that return alike, wherever
// they were entered. An ambiguous grammar doubles its stacks with every character; nodes grow no
// faster than the text. What remains, powers of the text's length, allow_work() bounds. Not
// thread-safe.
class GrammarStacks {
 public:
  // A stack: where in the grammar it is, and the node that it returns to from there.
  struct Stack {
    std::uint32_t at;
    std::uint32_t below;
    friend auto operator<=>(const Stack&, const Stack&) = default;
  };
  // The stacks at one place in the text. None: the text is none of the grammar.
  using Front = std::vector<Stack>;

  // Of a grammar that check_grammar() lets through.
  explicit GrammarStacks(const GrammarRules& rules);

  // The steps that advance() may take from now on. More stacks at one place in the text than the
  // memory of one answer allows (65,536) use them up as well.
  void allow_work(std::size_t most) {
    work_left_ = most;
    exhausted_ = false;
  }
  // Whether they were not enough; fronts that it made since are not to be used.
  bool is_exhausted() const { return exhausted_; }
  std::size_t work_left() const { return work_left_; }

  // The front before any text.
  Front start();
  // The front after one more character, or token where the grammar wants one as a whole, into `to`.
  void advance(const Front& from, std::uint32_t code, Front& to) { step(from, code, false, to); }
  void advance_token(const Front& from, std::uint32_t id, Front& to) { step(from, id, true, to); }

  // Whether the text may end here.
  bool may_end(const Front& front) const;
  // Whether a character from `first` to `last` may be next; takes steps, too.
  bool may_take(const Front& front, std::uint32_t first, std::uint32_t last);
  // Whether the grammar wants some token as a whole.
  bool wants_token(const Front& front) const;

  // Nodes and edges of the graph.
  std::size_t size() const { return nodes_.size() + edges_.size(); }
  // Fronts made after a mark are gone when it is returned to.
  struct Mark {
    std::size_t nodes, edges;
  };
  Mark mark() const { return {nodes_.size(), edges_.size()}; }
  void return_to(const Mark& mark);
  // Drops what `front`, the only one in use from now on, does not lead to.
  void keep_only(Front& front);

 private:
  enum class Kind : std::uint8_t { kEnd, kRule, kTerminal };
  struct Element {
    Kind kind;
    std::uint32_t index;  // of the rule or terminal
  };
  struct Node {
    std::uint32_t at;          // where it goes on
    std::uint32_t first_edge;  // to the nodes that it returns to
    bool is_done;              // what it waits for may be empty
    bool is_listed;            // in its bucket
    std::uint32_t hash;
    std::uint32_t next;  // in its bucket
  };
  struct Edge {
    std::uint32_t to;
    std::uint32_t next;
  };
  // The node of this place that goes on at an element.
  struct Entered {
    std::uint64_t place = 0;
    std::uint32_t node = 0;
  };
  struct Seen {
    std::uint64_t place = 0;
    Stack stack{0, 0};
  };

  void step(const Front& from, std::uint32_t value, bool is_token, Front& to);
  bool work(std::size_t steps = 1);
  void push(const Stack& stack);
  void grow_seen();
  void close(Front& to);
  void enter(const Stack& stack);
  void leave(std::uint32_t node);
  void unite(Front& to);
  bool settle(std::uint32_t index);
  std::uint32_t add_edges(const std::vector<std::uint32_t>& to);
  std::uint32_t hash(const Node& node) const;
  void list(Node& node, std::uint32_t index);
  bool returns_alike(const Node& a, const Node& b);
  std::uint32_t& bucket(const Node& node) { return buckets_[node.hash % buckets_.size()]; }

  std::vector<GrammarTerminal> terminals_;
  std::vector<Element> elements_;                         // alternatives, one after the other
  std::vector<std::vector<std::uint32_t>> alternatives_;  // where those of each rule begin
  std::uint32_t root_ = 0;

  std::vector<Node> nodes_;
  std::vector<Edge> edges_;
  Mark place_begin_{0, 0};              // what was there before this place in the text
  std::vector<std::uint32_t> buckets_;  // the nodes by hash; the last of each first
  std::vector<std::uint32_t> united_;   // scratch: what the nodes of this place became
  std::vector<std::uint32_t> returns_;  // scratch
  std::uint64_t place_ = 0;
  std::vector<Entered> entered_;  // per element
  std::vector<Seen> seen_;        // stacks of this place, by hash; twice as many at least
  std::size_t seen_count_ = 0;
  std::vector<Stack> open_;  // to be followed, at this place
  // The last step that left no nodes behind: what took the character, and the front after it.
  // Within a string, one character after the other is such a step, and the same.
  Front last_taken_, last_front_;
  Front taken_;  // scratch
  std::size_t work_left_ = 0;
  bool exhausted_ = false;
};

}  // namespace llmpatch
