#include "runtime/template_check.h"

#include "runtime/test_models.h"

namespace llmpatch {
namespace {

std::string repeated(const std::string& piece, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) text += piece;
  return text;
}

TEST(TemplateCheck, PassesWhatModelsHave) {
  EXPECT_TRUE(check_chat_template("").ok());
  EXPECT_TRUE(
      check_chat_template("{% for m in messages %}{{ m['content'] | trim }}{% endfor %}").ok());
  EXPECT_TRUE(check_chat_template(repeated("{% if a %}x{% endif %}", 5000)).ok());
  EXPECT_TRUE(check_chat_template("{% set s = '" + repeated("(", 50000) + "' %}").ok());
  EXPECT_TRUE(check_chat_template(repeated("(", 50000)).ok());
}

TEST(TemplateCheck, RefusesWhatWouldExhaustTheStack) {
  for (const std::string& source :
       {"{{ " + repeated("(", 50000), "{{ " + repeated("[", 50000) + " }}",
        "{{ " + repeated("not ", 50000) + "a }}", "{{ a" + repeated("+a", 50000) + " }}",
        "{{ a" + repeated(".a", 50000) + " }}", repeated("{% if a %}", 20000),
        repeated("{%- for a in b -%}", 10000),
        "{% if a %}" + repeated("{% elif a %}", 10000) + "{% endif %}",
        std::string(300 << 10, 'x')}) {
    const Status status = check_chat_template(source);
    ASSERT_FALSE(status.ok()) << source.substr(0, 40);
    EXPECT_EQ(status.error().kind, ErrorKind::kLimit);
  }
}

TEST(TemplateCheck, IsMadeBeforeAModelIsLoaded) {
  GgufTestFile file = tiny_model_file();
  file.text("tokenizer.chat_template", "{{ " + repeated("(", 50000) + " }}");
  EXPECT_EQ(load_bytes(file.bytes()).error().kind, ErrorKind::kLimit);
}

// As deep as the check lets pass.
TEST(TemplateCheck, LetsPassOnlyWhatTheParserCanStand) {
  for (const std::string& expression :
       {repeated("(", 500) + "1" + repeated(")", 500), repeated("not ", 1000) + "a",
        std::string("a") + repeated("+a", 500), std::string("a") + repeated(".a", 500),
        repeated("[", 500)}) {
    ASSERT_TRUE(check_chat_template("{{ " + expression + " }}").ok());
    std::string source = std::string("{{ ") + expression + " }}";
    for (int i = 0; i < 100; ++i)
      source = std::string("{% if messages %}") + source + "{% endif %}";
    GgufTestFile file = tiny_model_file();
    file.text("tokenizer.chat_template", source);
    const auto model = load_bytes(file.bytes());
    if (!model.ok()) continue;  // an error is as good as a rendering: the process stands
    (void)(*model)->chat_template();
  }
}

}  // namespace
}  // namespace llmpatch
