// A waiting line in which tenants take turns: first come, first served only within one tenant.
#pragma once

#include <deque>
#include <list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace llmpatch {

// Not thread-safe.
template <class T>
class TenantQueue {
 public:
  bool empty() const { return lines_.empty(); }
  std::size_t size() const {
    std::size_t n = 0;
    for (const Line& line : lines_) n += line.items.size();
    return n;
  }

  void push(std::string_view tenant, T item) {
    for (Line& line : lines_) {
      if (line.tenant == tenant) return line.items.push_back(std::move(item));
    }
    lines_.push_back({std::string(tenant), {}});
    lines_.back().items.push_back(std::move(item));
  }

  // Whose turn it is; the queue must not be empty.
  T& front() { return lines_.front().items.front(); }

  // Takes front(); its tenant's turn comes again after all others'.
  T pop() {
    T item = std::move(lines_.front().items.front());
    lines_.front().items.pop_front();
    if (lines_.front().items.empty()) {
      lines_.pop_front();
    } else {
      lines_.splice(lines_.end(), lines_, lines_.begin());
    }
    return item;
  }

  // Takes out all items for which `wanted(item)` holds.
  template <class Predicate>
  std::vector<T> take_if(Predicate wanted) {
    std::vector<T> taken;
    for (Line& line : lines_) {
      std::deque<T> left;
      for (T& item : line.items) {
        if (wanted(std::as_const(item))) {
          taken.push_back(std::move(item));
        } else {
          left.push_back(std::move(item));
        }
      }
      line.items = std::move(left);
    }
    lines_.remove_if([](const Line& line) { return line.items.empty(); });
    return taken;
  }

 private:
  struct Line {
    std::string tenant;
    std::deque<T> items;  // not empty
  };
  std::list<Line> lines_;  // in the order of turns
};

}  // namespace llmpatch
