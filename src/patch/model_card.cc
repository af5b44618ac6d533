#include "patch/model_card.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/ascii.h"
#include "base/quote.h"
#include "patch/card.h"
#include "patch/names.h"

namespace llmpatch {
namespace {

// The licences that the Hugging Face Hub knows by an id of its own and patches are likely to have.
constexpr std::array<std::string_view, 6> kHubLicenses{
    {"apache-2.0", "mit", "bsd-3-clause", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0"}};

// "owner/name", as the Hub names models; a path of somebody's disk must not get into front matter.
bool is_hub_id(std::string_view text) {
  const auto slash = text.find('/');
  return slash != std::string_view::npos && slash > 0 && slash + 1 < text.size() &&
         std::all_of(text.begin(), text.end(), [&, i = std::size_t{0}](char c) mutable {
           const bool is_slash = i++ == slash;
           return is_slash || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
         });
}

std::string front_matter(const Patch& patch) {
  const std::string license = ascii_lower(patch.manifest.license);
  std::string text = "---\nlibrary_name: peft\npipeline_tag: text-generation\n";
  if (is_hub_id(patch.adapter.base_model)) {
    text += "base_model: " + quote(patch.adapter.base_model) + "\n";
  }
  if (std::find(kHubLicenses.begin(), kHubLicenses.end(), license) != kHubLicenses.end()) {
    text += "license: " + license + "\n";
  } else {
    text += "license: other\nlicense_name: " + quote(patch.manifest.license) + "\n";
  }
  return text + "tags:\n- llmpatch\n- prompt-tuning\n- safety\n- " + quote(patch.manifest.risk) +
         "\n---\n\n";
}

// "the risk `toxicity`", or what a patch learned on several names under `learned.risks`. That is
// free text of whoever wrote the manifest: shown only where every name is one.
std::string risks_text(const Manifest& manifest) {
  const std::string own = "the risk `" + manifest.risk + "`";
  const auto risks = manifest.learned.find("risks");
  if (risks == manifest.learned.end() || !risks->is_array() || risks->size() < 2) return own;
  std::string text = "the risks";
  for (const Json& risk : *risks) {
    if (!risk.is_string() || !is_patch_name(risk.get_ref<const std::string&>())) return own;
    text += (&risk == &risks->front() ? " `" : ", `") + risk.get_ref<const std::string&>() + "`";
  }
  return text;
}

// A table cell: markdown's own signs would end it.
std::string cell(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '|' || c == '\n' || c == '\r'; }, ' ');
  return text;
}

std::string effect_section(const Patch& patch) {
  if (!patch.card) return "Not measured yet: there is no `eval.json`.\n";
  const EffectTable table = effect_table(card_effects(*patch.card));
  if (table.rows.empty()) return "See `eval.json`.\n";
  std::string text =
      "With 95 % intervals; `eval.json` has every metric and the command that reproduces it. "
      "`base` is the model alone, `system-prompt` the model under a safety system prompt, `patch` "
      "the model with this patch.\n\n| suite | metric |";
  for (const std::string& system : table.systems) text.append(" ").append(cell(system)) += " |";
  text += "\n| --- | --- |";
  for (std::size_t i = 0; i < table.systems.size(); ++i) text += " --- |";
  text += "\n";
  for (const EffectTable::Row& row : table.rows) {
    text += "| " + cell(row.suite) + " | " + cell(row.metric) + " |";
    for (const auto& effect : row.cells) text.append(" ").append(effect_text(effect)) += " |";
    text += "\n";
  }
  return text;
}

}  // namespace

std::string model_card(const Patch& patch) {
  const Manifest& manifest = patch.manifest;
  std::string text = front_matter(patch) + "# " + manifest.name + " " + manifest.version + "\n\n";
  if (!manifest.summary.empty()) text += manifest.summary + "\n\n";
  text += "A safety patch for a frozen language model: a learned prefix of " +
          std::to_string(patch.rows.n) + " input embeddings of width " +
          std::to_string(patch.rows.d) + ". It is about " + risks_text(manifest) +
          ". It belongs to the one model whose identity `manifest.json` records under `base`.\n\n"
          "## Effect\n\n" +
          effect_section(patch) +
          "\n## Use\n\nWith llmpatch, on the model's GGUF file:\n\n"
          "```sh\nllmpatch inspect .\n"
          "llmpatch chat --model model.gguf --patch . --key vendor.pub   # or --allow-unsigned\n"
          "```\n\n"
          "With PEFT, on the same model in Transformers:\n\n"
          "```python\nfrom peft import PeftModel\n\n"
          "patched = PeftModel.from_pretrained(model, \".\")\n```\n\n"
          "The prefix stands before everything else, the chat template included. What a patch was "
          "measured to do holds for the prompts and the model file named in `eval.json`.\n";
  if (manifest.expires) text += "\nNot to be newly installed after " + *manifest.expires + ".\n";
  return text;
}

}  // namespace llmpatch
