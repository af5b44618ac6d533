#include "eval/jailbreak.h"

#include <algorithm>
#include <array>
#include <set>

#include "base/base64.h"
#include "base/file_digest.h"

namespace llmpatch {
namespace {

constexpr std::array<std::string_view, 4> kPlaces{"{prompt}", "{base64}", "{first_half}",
                                                  "{second_half}"};

// Where `text` is cut in halves: at the blank nearest to its middle, else in the middle, never
// inside a character of UTF-8.
std::size_t middle_of(std::string_view text) {
  const std::size_t middle = text.size() / 2;
  for (std::size_t off = 0; off <= middle; ++off) {
    if (text[middle - off] == ' ') return middle - off;
    if (middle + off < text.size() && text[middle + off] == ' ') return middle + off;
  }
  std::size_t cut = middle;
  while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xC0U) == 0x80U) --cut;
  return cut;
}

std::string filling_of(std::string_view place, const std::string& prompt) {
  if (place == "{prompt}") return prompt;
  if (place == "{base64}") return base64_encode(prompt);
  const std::size_t cut = prompt.empty() ? 0 : middle_of(prompt);
  return place == "{first_half}" ? prompt.substr(0, cut) : prompt.substr(cut);
}

// `text` with its places filled, in one pass: what a prompt itself holds is left alone.
std::string filled(std::string_view text, const std::string& prompt) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const auto place = std::ranges::find_if(
        kPlaces, [&](std::string_view name) { return text.substr(at).starts_with(name); });
    if (place == kPlaces.end()) {
      out += text[at++];
    } else {
      out += filling_of(*place, prompt);
      at += place->size();
    }
  }
  return out;
}

bool has_place(const JailbreakTemplate& attack) {
  return std::ranges::any_of(attack.messages, [](const Message& message) {
    return std::ranges::any_of(kPlaces, [&](std::string_view place) {
      return message.content.find(place) != std::string::npos;
    });
  });
}

Result<JailbreakTemplate> template_of(const Prompt& line, const std::string& where) {
  const auto wrong = [&](const std::string& message) {
    return make_error(ErrorKind::kCorrupt, "suite", where + ": " + message);
  };
  for (const auto& [key, unused] : line.fields.items()) {
    if (key != "name" && key != "messages" && key != "prefill") {
      return wrong("found member '" + key + "', expected name, messages, prefill");
    }
  }
  JailbreakTemplate attack;
  LLMPATCH_ASSIGN(attack.name, json_string(line.fields, "name", where));
  if (line.fields.contains("prefill")) {
    LLMPATCH_ASSIGN(attack.prefill, json_string(line.fields, "prefill", where));
  }
  attack.messages = line.messages;
  if (!has_place(attack)) return wrong("messages: found no {prompt}, expected a place for it");
  if (attack.messages.back().role != "user") {
    return wrong("messages: found an end by '" + attack.messages.back().role +
                 "', expected the user's turn (what the answer begins with is its prefill)");
  }
  return attack;
}

Result<std::vector<JailbreakTemplate>> templates_of(const PlannedSuite& planned) {
  return read_jailbreak_templates(planned.suite.templates);
}

}  // namespace

Result<std::vector<JailbreakTemplate>> read_jailbreak_templates(const std::filesystem::path& path) {
  LLMPATCH_ASSIGN(const std::vector<Prompt> lines, read_prompts(path, "jailbreak templates"));
  std::vector<JailbreakTemplate> templates;
  std::set<std::string> names;
  for (const Prompt& line : lines) {
    const std::string where = path.string() + " line " + std::to_string(line.line);
    LLMPATCH_ASSIGN(JailbreakTemplate attack, template_of(line, where));
    if (!names.insert(attack.name).second) {
      return make_error(ErrorKind::kCorrupt, "suite",
                        where + ": found '" + attack.name + "' twice, expected different names");
    }
    templates.push_back(std::move(attack));
  }
  if (templates.empty()) {
    return make_error(ErrorKind::kInvalidArgument, "suite",
                      path.string() + ": found no template, expected at least one");
  }
  return templates;
}

SuitePrompt apply_template(const JailbreakTemplate& attack, const SuitePrompt& prompt) {
  SuitePrompt asked = prompt;
  asked.format = PromptFormat::kChat;
  asked.prompt.messages = attack.messages;
  for (Message& message : asked.prompt.messages) {
    message.content = filled(message.content, prompt.prompt.text());
  }
  asked.prefill = attack.prefill;
  return asked;
}

Result<MeasuredSuite> measure_jailbreak(EvalRun& run, const PlannedSuite& planned) {
  LLMPATCH_ASSIGN(const auto templates, templates_of(planned));
  std::vector<Variant> variants;
  for (const JailbreakTemplate& attack : templates) {
    Variant variant{attack.name, {}};
    for (const SuitePrompt& prompt : planned.prompts) {
      variant.prompts.push_back(apply_template(attack, prompt));
    }
    variants.push_back(std::move(variant));
  }
  LLMPATCH_ASSIGN(MeasuredSuite measured, measure_variants(run, planned, variants));
  LLMPATCH_ASSIGN(measured.settings["templates_sha256"],
                  sha256_of_file(planned.suite.templates, "jailbreak templates"));
  return measured;
}

Result<SuiteCost> jailbreak_cost(const PlannedSuite& planned, const EvalOptions& options) {
  LLMPATCH_ASSIGN(const auto templates, templates_of(planned));
  return variants_cost(planned, options, templates.size());
}

}  // namespace llmpatch
