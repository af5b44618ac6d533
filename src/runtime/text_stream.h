// Text that arrives in pieces of bytes, given out in whole characters.
#pragma once

#include <string>
#include <string_view>

namespace llmpatch {

class TextStream {
 public:
  // Takes bytes and returns what can be shown of them: everything but a UTF-8 character that has
  // begun and may still be completed. Invalid bytes pass through.
  std::string push(std::string_view bytes);
  // What is left at the end, such as half a character.
  std::string finish();

 private:
  std::string pending_;
};

}  // namespace llmpatch
