// The words of a text, for judges that look for whole words. Internal to judge/.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace llmpatch {

// The words of `text` in order, ASCII letters lowered. A word is a run of ASCII letters, digits,
// underscores and characters outside ASCII that are neither punctuation nor symbols; every symbol
// (arrows, dingbats, emoji) is a word of its own. So "She's" is two words, whichever apostrophe is
// used. Damaged UTF-8 ends a word. Thread-safe.
std::vector<std::string> words_of(std::string_view text);

}  // namespace llmpatch
