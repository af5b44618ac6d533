// The token that a word begins with. Internal to judge/.
#pragma once

#include <optional>
#include <string_view>

#include "base/result.h"
#include "runtime/model.h"

namespace llmpatch {

// The first token of `text` where it stands behind `before`: some tokenizers put a blank of their
// own in front of a whole text. None when the two melt into one token. Errors of Model::tokenize().
Result<std::optional<Token>> first_token(const Model& model, std::string_view before,
                                         std::string_view text);

}  // namespace llmpatch
