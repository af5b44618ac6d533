#include "eval/system.h"

#include <algorithm>
#include <array>
#include <set>

#include "base/quote.h"
#include "base/utf8.h"

namespace llmpatch {
namespace {

// Keys of responses.jsonl that are no labels.
constexpr std::array<std::string_view, 4> kTaken{"suite", "line", "category", "prompt"};

bool is_printable(std::string_view text) {
  if (!is_utf8(text)) return false;
  while (!text.empty()) {
    const char32_t character = take_code_point(text);
    // Controls, and what separates lines or turns the direction of writing.
    if (character < 0x20 || (character >= 0x7F && character < 0xA0) || character == 0x2028 ||
        character == 0x2029 || (character >= 0x202A && character <= 0x202E) ||
        (character >= 0x2066 && character <= 0x2069)) {
      return false;
    }
  }
  return true;
}

Status check_label(const std::string& label) {
  const std::size_t length = count_characters(label);
  if (length < 1 || length > kMaxLabel || !is_printable(label) || label.front() == ' ' ||
      label.back() == ' ') {
    return make_error(ErrorKind::kInvalidArgument, "eval",
                      "system label: found " + quote(label) + ", expected 1 to " +
                          std::to_string(kMaxLabel) + " printable characters");
  }
  if (!System(label).is_further() || std::ranges::find(kTaken, label) != kTaken.end()) {
    return make_error(ErrorKind::kInvalidArgument, "eval",
                      "system label: found " + quote(label) + ", expected another: it is taken");
  }
  return {};
}

}  // namespace

const System System::kBase("base");
const System System::kSystemPrompt("system-prompt");
const System System::kPatched("patch");
const System System::kTeacher("teacher");

bool System::is_further() const {
  return *this != kBase && *this != kSystemPrompt && *this != kPatched && *this != kTeacher;
}

std::string_view system_name(const System& system) { return system.label(); }

bool are_compared(const System& a, const System& b) {
  if (!a.is_further() && !b.is_further()) return true;
  const auto stands_for_all = [](const System& system) {
    return system == System::kBase || system == System::kPatched;
  };
  return stands_for_all(a) || stands_for_all(b);
}

OrderedJson patches_json(const std::vector<EvalPatch>& patches) {
  OrderedJson json = OrderedJson::array();
  for (const EvalPatch& patch : patches) {
    json.push_back({{"name", patch.name},
                    {"version", patch.version},
                    {"sha256", patch.digest},
                    {"rows", patch.rows.n},
                    {"width", patch.rows.d}});
  }
  return json;
}

std::string_view compose_name(Compose compose) {
  return compose == Compose::kParallel ? "parallel" : "sequential";
}

OrderedJson system_record(const SystemSpec& system, const std::string& digest,
                          const Json& adapters) {
  OrderedJson record{{"label", system.label},
                     {"model", {{"file", system.model.filename().string()}, {"sha256", digest}}}};
  if (!system.prompt.empty()) record["system_prompt"] = system.prompt;
  if (!system.patches.empty()) {
    record["patches"] = patches_json(system.patches);
    record["compose"] = compose_name(system.compose);
  }
  for (const auto& [key, value] : adapters.items()) record[key] = value;
  return record;
}

Status check_systems(const std::vector<SystemSpec>& systems) {
  std::set<std::string> labels;
  for (const SystemSpec& system : systems) {
    LLMPATCH_TRY(check_label(system.label));
    if (!labels.insert(system.label).second) {
      return make_error(ErrorKind::kInvalidArgument, "eval",
                        "systems: found " + quote(system.label) +
                            " twice, expected different "
                            "labels");
    }
    if (system.model.empty() && system.prompt.empty() && system.patches.empty() &&
        system.adapters.empty()) {
      return make_error(ErrorKind::kInvalidArgument, "eval",
                        "system " + quote(system.label) +
                            ": found nothing that tells it from the base, expected a model, a "
                            "system prompt, patches or adapters");
    }
  }
  return {};
}

}  // namespace llmpatch
