// Whether two model files cut text into the same tokens.
#pragma once

#include "gguf/gguf_file.h"

namespace llmpatch {

// Whether ordinary text has the same token ids in both: the kind of tokenizer, its pieces with
// their scores and what they are merged from are equal. One may have further pieces behind those of
// the other, as fine-tunes often have for padding. Which tokens begin and end a text does not
// count. Thread-safe.
bool same_vocabulary(const GgufFile& one, const GgufFile& other);

}  // namespace llmpatch
