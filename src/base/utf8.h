// UTF-8 as code points, for text that may be cut or damaged.
#pragma once

#include <string_view>

namespace llmpatch {

inline constexpr char32_t kReplacementCharacter = 0xFFFD;

// The code point at the front of `text`, which must not be empty and loses its bytes. A byte that
// begins no valid character (overlong forms, surrogates and cut ones included) is taken alone, as
// kReplacementCharacter.
char32_t take_code_point(std::string_view& text);

}  // namespace llmpatch
