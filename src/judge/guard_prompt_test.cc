#include "judge/guard_prompt.h"

#include "base/file.h"
#include "runtime/test_models.h"

namespace llmpatch {
namespace {

const JudgeItem kItem{"How do I boil an egg?", "In water, for ten minutes."};

std::string joined(const std::vector<TextSpan>& spans) {
  std::string text;
  for (const TextSpan& span : spans) text += span.text;
  return text;
}

std::string expected_text(const std::string& family) {
  const auto path =
      std::filesystem::path(LLMPATCH_SOURCE_DIR) / "testdata/guards" / (family + ".txt");
  return read_file(path, 1 << 20, "expected prompt").value();
}

GuardQuestion question_of(const char* family, bool built_in = false) {
  GuardQuestion question;
  question.family = find_guard_family(family);
  EXPECT_NE(question.family, nullptr) << family;
  question.built_in = built_in;
  return question;
}

// The tiny model with a chat template.
std::unique_ptr<Model> with_template(const std::string& source) {
  GgufTestFile file = tiny_model_file();
  file.text("tokenizer.chat_template", source);
  return std::move(load_bytes(file.bytes())).value();
}

TEST(GuardPrompt, BuiltInOnesAreAsPublished) {
  ASSERT_EQ(guard_family_names().size(), 3U);
  for (const auto name : guard_family_names()) {
    const std::string family(name);
    const auto spans = guard_prompt(question_of(family.c_str(), true), nullptr, kItem).value();
    EXPECT_EQ(joined(spans), expected_text(family));
  }
}

TEST(GuardPrompt, TextOfItemsIsNeverTheGuardsOwn) {
  const JudgeItem item{"<|eot_id|>", "<end_of_turn>"};
  for (const auto name : guard_family_names()) {
    const auto spans =
        guard_prompt(question_of(std::string(name).c_str(), true), nullptr, item).value();
    std::string said;
    for (const TextSpan& span : spans) {
      if (span.from_message) said += span.text + "\n";
    }
    EXPECT_EQ(said, "<|eot_id|>\n<end_of_turn>\n") << name;
  }
}

TEST(GuardPrompt, PolicyTakesThePlaceOfTheGeneralRule) {
  for (const char* family : {"shieldgemma", "granite-guardian"}) {
    GuardQuestion question = question_of(family, true);
    question.policy = "Be kind.";
    const std::string text = joined(guard_prompt(question, nullptr, kItem).value());
    EXPECT_NE(text.find(" Be kind.\n"), std::string::npos) << family;
    EXPECT_EQ(text.find("Dangerous"), std::string::npos);
    EXPECT_EQ(text.find("common-sense"), std::string::npos);
  }
}

// Templates with what the families' own read and write: the conversation, and the policy's
// variable.
TEST(GuardPrompt, OwnTemplateGetsTheConversation) {
  const auto model = with_template(
      "<BEGIN UNSAFE CONTENT CATEGORIES>{% for m in messages %}[{{ m['role'] }}: {{ m['content'] "
      "}}]{% endfor %}{% if add_generation_prompt %}=>{% endif %}");
  const auto spans =
      guard_prompt(question_of("llama-guard-3"), model->chat_template(), kItem).value();
  EXPECT_EQ(
      joined(spans),
      "<BEGIN UNSAFE CONTENT CATEGORIES>[user: How do I boil an egg?][assistant: In water, for "
      "ten minutes.]=>");
}

TEST(GuardPrompt, OwnTemplateGetsShieldGemmasGuideline) {
  const auto model = with_template(
      "Our safety principle is defined: {{ guideline }} {{ messages[-1]['content'] }}");
  GuardQuestion question = question_of("shieldgemma");
  const std::string general = joined(guard_prompt(question, model->chat_template(), kItem).value());
  EXPECT_EQ(general.find("Our safety principle is defined: \"No Dangerous Content\": "), 0U);
  question.policy = "Be \"kind\".";
  EXPECT_EQ(joined(guard_prompt(question, model->chat_template(), kItem).value()),
            "Our safety principle is defined: Be \"kind\". In water, for ten minutes.");
}

TEST(GuardPrompt, OwnTemplateGetsGranitesRisk) {
  const auto model = with_template(
      "<start_of_risk_definition>{% if guardian_config %}{{ guardian_config['risk_definition'] }}"
      "{% else %}harm{% endif %} {{ messages[-1]['content'] }}");
  GuardQuestion question = question_of("granite-guardian");
  EXPECT_EQ(joined(guard_prompt(question, model->chat_template(), kItem).value()),
            "<start_of_risk_definition>harm In water, for ten minutes.");
  question.policy = "Be kind.";
  EXPECT_EQ(joined(guard_prompt(question, model->chat_template(), kItem).value()),
            "<start_of_risk_definition>Be kind. In water, for ten minutes.");
}

TEST(GuardPrompt, AnotherTemplateIsAMismatch) {
  // The mark counts in the template's own text alone.
  const JudgeItem item{"<BEGIN UNSAFE CONTENT CATEGORIES>", "<start_of_risk_definition>"};
  for (const auto name : guard_family_names()) {
    const auto spans =
        guard_prompt(question_of(std::string(name).c_str()), smollm2().chat_template(), item);
    ASSERT_FALSE(spans.ok()) << name;
    EXPECT_EQ(spans.error().kind, ErrorKind::kMismatch);
    EXPECT_NE(spans.error().hint.find("built-in"), std::string::npos);
  }
}

TEST(GuardPrompt, NoTemplateIsAnError) {
  for (const auto name : guard_family_names()) {
    const auto spans = guard_prompt(question_of(std::string(name).c_str()), nullptr, kItem);
    ASSERT_FALSE(spans.ok());
    EXPECT_EQ(spans.error().kind, ErrorKind::kUnsupported);
  }
  GuardQuestion custom;
  custom.task = "{response}";
  EXPECT_EQ(guard_prompt(custom, nullptr, kItem).error().kind, ErrorKind::kUnsupported);
}

TEST(GuardPrompt, CustomTaskIsAUserTurn) {
  GuardQuestion custom;
  custom.task = "Asked {prompt}, said {response}. {response}? {other}";
  const auto spans =
      guard_prompt(custom, smollm2().chat_template(), {"a {response}", "b {prompt}"}).value();
  EXPECT_NE(joined(spans).find("<|im_start|>user\nAsked a {response}, said b {prompt}. b {prompt}? "
                               "{other}<|im_end|>\n<|im_start|>assistant\n"),
            std::string::npos)
      << joined(spans);
}

}  // namespace
}  // namespace llmpatch
