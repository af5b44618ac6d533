#include "judge/first_token.h"

#include <algorithm>
#include <string>

namespace llmpatch {

Result<std::optional<Token>> first_token(const Model& model, std::string_view before,
                                         std::string_view text) {
  LLMPATCH_ASSIGN(const Tokens alone, model.tokenize(before, false));
  LLMPATCH_ASSIGN(const Tokens both,
                  model.tokenize(std::string(before) + std::string(text), false));
  const bool behind =
      both.size() > alone.size() && std::equal(alone.begin(), alone.end(), both.begin());
  return behind ? std::optional<Token>(both[alone.size()]) : std::nullopt;
}

}  // namespace llmpatch
