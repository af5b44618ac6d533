// Finds stop texts in text that arrives in pieces, and holds back what may become one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace llmpatch {

class StopMatcher {
 public:
  // `stops` are not empty.
  explicit StopMatcher(std::vector<std::string> stops) : stops_(std::move(stops)) {}

  // Takes text and returns what can be shown of all that came: nothing that lies in a stop text or
  // may still begin one. Once a stop text is complete, what follows is dropped.
  std::string push(std::string_view text);
  // What was held back, when no more text comes.
  std::string finish();

  bool found() const { return found_; }

 private:
  std::vector<std::string> stops_;
  std::string held_;
  bool found_ = false;
};

}  // namespace llmpatch
