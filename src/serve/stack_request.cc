#include "serve/stack_request.h"

#include <algorithm>

#include "base/quote.h"
#include "patch/names.h"

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

Result<std::pair<std::string, NamedStack>> parse_named_stack(std::string_view text) {
  const auto wrong = [&](const std::string& why) {
    return make_error(ErrorKind::kInvalidArgument, "stack",
                      "stack " + quote(text) + ": " + why +
                          ", expected NAME=PATCH+PATCH, or NAME=PATCH+PATCH:parallel");
  };
  const std::size_t equals = std::min(text.find('='), text.size());
  const std::string name(text.substr(0, equals));
  if (!is_patch_name(name)) return wrong("found no name");
  std::string_view rest = text.substr(std::min(equals + 1, text.size()));
  NamedStack stack;
  if (const std::size_t colon = rest.rfind(':'); colon != std::string_view::npos) {
    const Result<Compose> compose = parse_compose(rest.substr(colon + 1));
    if (!compose.ok()) return wrong("found another way to compose");
    stack.compose = *compose;
    rest = rest.substr(0, colon);
  }
  // Written as after a model's id.
  const std::optional<ModelId> parts = parse_model_id("+" + std::string(rest), "");
  for (const std::string& part : parts->patches) {
    Result<Requirement> patch = parse_patch_reference(part);
    if (!patch.ok()) return wrong(patch.error().message);
    stack.patches.push_back(std::move(*patch));
  }
  if (stack.patches.size() > kMaxStack) return wrong("found too many patches");
  return std::pair(name, std::move(stack));
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
