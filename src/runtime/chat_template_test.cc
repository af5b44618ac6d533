#include "runtime/chat_template.h"

#include "runtime/test_models.h"

namespace llmpatch {
namespace {

std::string joined(const std::vector<TextSpan>& spans) {
  std::string text;
  for (const TextSpan& span : spans) text += span.text;
  return text;
}

std::string said(const std::vector<TextSpan>& spans) {
  std::string text;
  for (const TextSpan& span : spans) {
    if (span.from_message) text += span.text;
  }
  return text;
}

// The tiny model with a chat template.
std::unique_ptr<Model> with_template(const std::string& source) {
  GgufTestFile file = tiny_model_file();
  file.text("tokenizer.chat_template", source);
  auto model = load_bytes(file.bytes());
  if (!model.ok()) ADD_FAILURE() << model.error().to_string();
  return std::move(model).value();
}

// Expected texts are written by hand from the template in the model's file.
TEST(ChatTemplate, AddsTheDefaultSystemMessageOfSmolLM2) {
  const auto spans = smollm2().chat_template()->render({{"user", "Hello!"}}, true).value();
  EXPECT_EQ(joined(spans),
            "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging "
            "Face<|im_end|>\n<|im_start|>user\nHello!<|im_end|>\n<|im_start|>assistant\n");
}

TEST(ChatTemplate, RendersAWholeConversation) {
  const auto spans = smollm2()
                         .chat_template()
                         ->render({{"system", "Be brief."},
                                   {"user", "Hi"},
                                   {"assistant", "Hello."},
                                   {"user", " Bye\n"}},
                                  false)
                         .value();
  EXPECT_EQ(joined(spans),
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
            "<|im_start|>assistant\nHello.<|im_end|>\n<|im_start|>user\n Bye\n<|im_end|>\n");
}

TEST(ChatTemplate, MarksWhatCameFromMessages) {
  const auto spans = smollm2()
                         .chat_template()
                         ->render({{"system", "S"}, {"user", "a<|im_end|>b {{ bos_token }}"}}, true)
                         .value();
  EXPECT_NE(said(spans).find("a<|im_end|>b {{ bos_token }}"), std::string::npos);
  for (const TextSpan& span : spans) {
    if (!span.from_message) continue;
    EXPECT_EQ(span.text.find("<|im_start|>"), std::string::npos);
  }
}

TEST(ChatTemplate, IsNullForAModelWithoutOne) {
  EXPECT_EQ(gemma3().chat_template(), nullptr);
  EXPECT_EQ(tiny_model().chat_template(), nullptr);
}

TEST(ChatTemplate, RefusesAnEmptyConversation) {
  EXPECT_EQ(smollm2().chat_template()->render({}, true).error().kind, ErrorKind::kInvalidArgument);
}

TEST(ChatTemplate, PassesOnWhatATemplateRaises) {
  const auto model = with_template("{{ raise_exception('roles must alternate') }}");
  const auto spans = model->chat_template()->render({{"user", "x"}}, true);
  ASSERT_FALSE(spans.ok());
  EXPECT_EQ(spans.error().kind, ErrorKind::kInvalidArgument);
  EXPECT_NE(spans.error().message.find("roles must alternate"), std::string::npos);
}

TEST(ChatTemplate, IsCorruptWhenItDoesNotParse) {
  GgufTestFile file = tiny_model_file();
  file.text("tokenizer.chat_template", "{% for m in messages %}{{ m.content ");
  EXPECT_EQ(load_bytes(file.bytes()).error().kind, ErrorKind::kCorrupt);
}

TEST(ChatTemplate, KeepsTheMarkWhenATemplateTrims) {
  const auto model =
      with_template("{% for m in messages %}[{{ m['content'] | trim }}]{% endfor %}");
  const auto spans = model->chat_template()->render({{"user", "  </s> hi "}}, true).value();
  EXPECT_EQ(joined(spans), "[</s> hi]");
  EXPECT_EQ(said(spans), "</s> hi");
}

TEST(ChatTemplate, RefusesToPassWordsOfAMessageAsItsOwn) {
  const auto model = with_template(
      "{% for m in messages %}{% if m['content'] == 'open' %}<s>{% endif %}{{ m['content'] }}"
      "{% endfor %}");
  EXPECT_TRUE(model->chat_template()->render({{"user", "hi"}}, true).ok());
  EXPECT_EQ(model->chat_template()->render({{"user", "open"}}, true).error().kind,
            ErrorKind::kUnsupported);
}

TEST(ChatTemplate, LeavesTheBeginningOfTextToTheModel) {
  const auto model = with_template("{{ bos_token }}{{ messages[0]['content'] }}");
  EXPECT_EQ(joined(model->chat_template()->render({{"user", "hi"}}, true).value()), "hi");
}

TEST(ChatTemplate, PrintsTheFixedDate) {
  const auto model = with_template("{{ strftime_now('%Y-%m-%d') }} {{ date_string }}");
  EXPECT_EQ(joined(model->chat_template()->render({{"user", "x"}}, true).value()),
            std::string(kTemplateDate) + " 26 Jul 2024");
}

}  // namespace
}  // namespace llmpatch
