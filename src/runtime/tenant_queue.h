// A waiting line in which tenants take turns: first come, first served only within one tenant.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
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

  std::size_t tenants() const { return lines_.size(); }

  // The first item of the tenant whose turn comes after `turn` others.
  T& front(std::size_t turn = 0) { return lines_[turn].items.front(); }

  // Takes front(turn); its tenant's turn comes again after all others'.
  T pop(std::size_t turn = 0) {
    const auto line = lines_.begin() + static_cast<std::ptrdiff_t>(turn);
    T item = std::move(line->items.front());
    line->items.pop_front();
    if (line->items.empty()) {
      lines_.erase(line);
    } else {
      std::rotate(line, line + 1, lines_.end());
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
    std::erase_if(lines_, [](const Line& line) { return line.items.empty(); });
    return taken;
  }

 private:
  struct Line {
    std::string tenant;
    std::deque<T> items;  // not empty
  };
  std::deque<Line> lines_;  // in the order of turns
};

}  // namespace llmpatch
