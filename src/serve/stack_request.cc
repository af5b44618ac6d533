#include "serve/stack_request.h"

#include <algorithm>

#include "base/quote.h"

namespace llmpatch {
namespace {

// "^1" and "^1.2" as three numbers. Empty where that has no meaning: what ^0 or ^0.0 leave open is
// not what ^0.0.0 stands for.
std::string whole_caret(std::string_view reference) {
  const std::size_t at = reference.find("@^");
  if (at == std::string_view::npos) return std::string(reference);
  const std::string_view from = reference.substr(at + 2);
  if (from.empty() || from.find_first_not_of("0123456789.") != std::string_view::npos) {
    return std::string(reference);
  }
  const auto dots = std::count(from.begin(), from.end(), '.');
  if (dots >= 2) return std::string(reference);
  if (from.find_first_not_of("0.") == std::string_view::npos) return std::string();
  return std::string(reference) + (dots == 0 ? ".0.0" : ".0");
}

}  // namespace

Result<Requirement> parse_patch_reference(std::string_view text) {
  const std::string whole = whole_caret(text);
  const Result<Requirement> parsed = parse_requirement(whole);
  if (parsed.ok()) return *parsed;
  return make_error(
      ErrorKind::kInvalidArgument, "patches",
      "found " + quote(text) + ", expected \"name\", \"name@1.2.3\" or \"name@^1.2\"");
}

std::optional<ModelId> parse_model_id(std::string_view id, std::string_view base) {
  if (!id.starts_with(base)) return std::nullopt;
  id.remove_prefix(base.size());
  ModelId parsed;
  parsed.is_base = id.empty();
  if (id.empty()) return parsed;
  if (id.front() != '+') return std::nullopt;
  while (!id.empty()) {
    id.remove_prefix(1);
    const std::size_t end = std::min(id.find('+'), id.size());
    parsed.patches.emplace_back(id.substr(0, end));
    id.remove_prefix(end);
  }
  return parsed;
}

}  // namespace llmpatch
