#include "patch/inspect.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "patch/card.h"
#include "patch/model_card.h"
#include "patch/test_patch.h"

namespace llmpatch {
namespace {

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

// Every byte a console shows: printable ASCII, line ends, or a part of a UTF-8 letter.
bool is_tame(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return c == '\n' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
  });
}

TEST(InspectPatch, TellsWhatIsInIt) {
  Patch patch = small_patch();
  patch.card = small_card();
  patch.rows = {2, 2, {3, 4, 5, 12}};  // norms 5 and 13
  const std::string text = inspect_patch(patch).to_text();
  for (const char* part :
       {"refuse 1.2.3\n", "Declines harmful requests\n", "harmful", "Apache-2.0",
        "2 x 2, norm 5 / 9 / 13", "sft+dpo", "settings.beta 0.1", "Tiny Model", "always-comply",
        "gender@0.1.0", "harmbench refused: patched 0.95 [0.91, 0.97] n 200"}) {
    EXPECT_TRUE(has(text, part)) << part << " is missing in:\n" << text;
  }
  EXPECT_TRUE(is_tame(text));
}

TEST(InspectPatch, GivesScriptsTheSame) {
  Patch patch = small_patch();
  patch.card = small_card();
  patch.rows = {2, 2, {3, 4, 5, 12}};
  const Json json = inspect_patch(patch).to_json();
  EXPECT_EQ(json["name"], "refuse");
  EXPECT_EQ(json["sequence"], 7);
  EXPECT_EQ(json["signed"], false);
  EXPECT_EQ(json["rows"]["n"], 2);
  EXPECT_EQ(json["rows"]["norm_max"], 13.0);
  EXPECT_EQ(json["base"]["architecture"], "llama");
  EXPECT_EQ(json["effects"], small_card()["headline"]);
  EXPECT_EQ(json["learned"], patch.manifest.learned);
}

TEST(InspectPatch, SaysThatItHasExpiredOrIsRefused) {
  Patch patch = small_patch();
  patch.manifest.expires = "2001-01-31T00:00:00Z";
  PatchReport report = inspect_patch(patch);
  EXPECT_TRUE(has(report.to_text(), "2001-01-31T00:00:00Z (EXPIRED)"));
  EXPECT_EQ(report.to_json()["expired"], true);
  EXPECT_EQ(report.to_json()["refused"], nullptr);
  patch.manifest.expires = "2999-01-31T00:00:00Z";
  report = inspect_patch(patch);
  report.refusal = "it was revoked";
  EXPECT_FALSE(has(report.to_text(), "EXPIRED"));
  EXPECT_TRUE(has(report.to_text(), "refused   it was revoked"));
  EXPECT_EQ(report.to_json()["expired"], false);
  EXPECT_EQ(report.to_json()["refused"], "it was revoked");
}

TEST(InspectPatch, IsSafeOnATerminal) {
  Patch patch = small_patch();
  patch.manifest.learned = {{"\x1b[2J", "\x1b]0;title\x07"}, {"deep", {{"\xc2\x9b", "\xff\x7f"}}}};
  patch.manifest.base.name = "a\r\nb";
  patch.card = small_card();
  (*patch.card)["headline"][0]["suite"] = "\x1b[31m";
  const std::string text = inspect_patch(patch).to_text();
  EXPECT_TRUE(is_tame(text)) << text;
  EXPECT_FALSE(has(text, "\xc2\x9b"));
}

TEST(CardEffects, IgnoresWhatItDoesNotKnow) {
  EXPECT_EQ(card_effects(small_card()).size(), 1u);
  for (const Json& card : {Json::array(), Json::object(), Json{{"headline", 1}},
                           Json{{"headline", {1}}}, Json{{"headline", {{{"suite", "a"}}}}}}) {
    EXPECT_TRUE(card_effects(card).empty()) << card;
  }
}

TEST(EffectTable, PutsSystemsSideBySide) {
  const EffectTable table = effect_table({{"a", "refusal", "base", 0, 0, 0.1, 9},
                                          {"a", "refusal", "patched", 1, 0.9, 1, 9},
                                          {"b", "kl", "patched", 0.0625, 0.05, 0.07, 8}});
  EXPECT_EQ(table.systems, (std::vector<std::string>{"base", "patched"}));
  ASSERT_EQ(table.rows.size(), 2u);
  EXPECT_EQ(effect_text(table.rows[0].cells[0]), "0 [0, 0.1] n 9");
  EXPECT_EQ(effect_text(table.rows[0].cells[1]), "1 [0.9, 1] n 9");
  EXPECT_EQ(table.rows[1].metric, "kl");
  EXPECT_EQ(effect_text(table.rows[1].cells[0]), "");
  EXPECT_EQ(effect_text(table.rows[1].cells[1]), "0.0625 [0.05, 0.07] n 8");
}

TEST(ModelCard, OpensWithWhatTheHubReads) {
  const std::string card = model_card(small_patch());
  EXPECT_TRUE(
      card.starts_with("---\nlibrary_name: peft\npipeline_tag: text-generation\n"
                       "base_model: \"example/tiny-model\"\nlicense: apache-2.0\n"))
      << card;
  EXPECT_TRUE(has(card, "# refuse 1.2.3\n"));
  EXPECT_TRUE(has(card, "Not measured yet"));
  EXPECT_EQ(card, model_card(small_patch()));
}

TEST(ModelCard, NamesTheRisksOfAJointPatch) {
  Patch patch = small_patch();
  EXPECT_TRUE(has(model_card(patch), "about the risk `harmful`. It belongs"));
  patch.manifest.learned["risks"] = {"toxicity", "gender"};
  EXPECT_TRUE(has(model_card(patch), "about the risks `toxicity`, `gender`. It belongs"));
  for (const Json& bad : {Json{"toxicity", "`x`\n# y"}, Json{"toxicity", 4}, Json("toxicity")}) {
    patch.manifest.learned["risks"] = bad;
    EXPECT_TRUE(has(model_card(patch), "about the risk `harmful`. It belongs"));
  }
}

TEST(ModelCard, KeepsLocalPathsAndUnknownLicencesOutOfHubFields) {
  Patch patch = small_patch();
  patch.adapter.base_model = "/home/me/model";
  patch.manifest.license = "LicenseRef-Own";
  const std::string card = model_card(patch);
  EXPECT_FALSE(has(card, "/home/me"));
  EXPECT_TRUE(has(card, "license: other\nlicense_name: \"LicenseRef-Own\"\n"));
}

TEST(ModelCard, HasTheEffectInATable) {
  Patch patch = small_patch();
  patch.card = small_card();
  EXPECT_TRUE(has(model_card(patch),
                  "| suite | metric | patched |\n| --- | --- | --- |\n"
                  "| harmbench | refused | 0.95 [0.91, 0.97] n 200 |\n"));
}

}  // namespace
}  // namespace llmpatch
