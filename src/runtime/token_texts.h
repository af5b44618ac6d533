// The texts of a vocabulary in an order that lets common beginnings be looked at once.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/model.h"

namespace llmpatch {

// Immutable.
class TokenTexts {
 public:
  struct Entry {
    Token token;
    std::string_view text;
    std::size_t shared;  // bytes at its beginning that are those of the entry before
  };

  // Control tokens with the text that names them.
  explicit TokenTexts(const Model& model);

  // In the order of the texts' bytes. Tokens that end an answer are none of them, nor are those
  // without a text.
  const std::vector<Entry>& entries() const { return entries_; }

 private:
  std::string bytes_;
  std::vector<Entry> entries_;
};

}  // namespace llmpatch
