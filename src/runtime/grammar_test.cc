#include "runtime/grammar.h"

#include <llama.h>

#include <algorithm>
#include <cmath>

#include "runtime/json_schema.h"
#include "runtime/random.h"
#include "runtime/test_models.h"

namespace llmpatch {
namespace {

std::unique_ptr<Grammar> grammar(const Model& model, const std::string& text) {
  auto made = Grammar::create(model, text);
  if (!made.ok()) ADD_FAILURE() << made.error().to_string() << "\n" << text;
  return std::move(made).value();
}

std::string schema(const std::string& text) {
  const Result<std::string> made = json_schema_grammar(text);
  if (!made.ok()) ADD_FAILURE() << made.error().to_string();
  return made.value();
}

// A byte of the tiny model.
Token byte(unsigned char value) { return 3 + value; }

Tokens allowed(Grammar& grammar, const Model& model) {
  std::vector<float> logits(model.n_vocab(), 0);
  const Status masked = grammar.mask(logits);
  EXPECT_TRUE(masked.ok());
  Tokens tokens;
  for (std::size_t id = 0; id < logits.size(); ++id) {
    if (logits[id] == 0) tokens.push_back(static_cast<Token>(id));
  }
  return tokens;
}

// libllama's own matcher.
class Peer {
 public:
  Peer(const Model& model, const std::string& text)
      : model_(model),
        sampler_(llama_sampler_init_grammar(llama_model_get_vocab(model.handle()), text.c_str(),
                                            "root")) {}
  ~Peer() { llama_sampler_free(sampler_); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  Tokens allowed() {
    std::vector<llama_token_data> data(model_.n_vocab());
    for (std::size_t id = 0; id < data.size(); ++id) data[id] = {static_cast<Token>(id), 0, 0};
    llama_token_data_array all{data.data(), data.size(), -1, false};
    llama_sampler_apply(sampler_, &all);
    Tokens tokens;
    for (const llama_token_data& each : data) {
      if (each.logit == 0) tokens.push_back(each.id);
    }
    return tokens;
  }
  void accept(Token token) { llama_sampler_accept(sampler_, token); }

 private:
  const Model& model_;
  llama_sampler* sampler_;
};

const char* const kTree =
    R"({"$defs": {"node": {"type": "object", "properties": {"name": {"type": "string"},
        "children": {"type": "array", "items": {"$ref": "#/$defs/node"}}},
        "required": ["name", "children"], "additionalProperties": false}},
        "$ref": "#/$defs/node"})";
const char* const kList =
    R"({"$defs": {"item": {"type": "object", "properties": {"value": {"type": "integer"},
        "next": {"anyOf": [{"$ref": "#/$defs/item"}, {"type": "null"}]}},
        "required": ["value", "next"]}}, "$ref": "#/$defs/item"})";
const char* const kAny =
    R"({"$defs": {"any": {"anyOf": [{"type": "string"}, {"type": "array", "items":
        {"$ref": "#/$defs/any"}}, {"type": "object", "properties": {"a": {"$ref": "#/$defs/any"},
        "b": {"type": "number"}}}]}}, "$ref": "#/$defs/any"})";
const char* const kKinds =
    R"({"$defs": {"e": {"anyOf": [{"type": "object", "properties": {"op": {"const": "not"}, "of":
        {"$ref": "#/$defs/e"}}, "required": ["op", "of"]}, {"type": "object", "properties": {"op":
        {"enum": ["and", "or"]}, "left": {"$ref": "#/$defs/e"}, "right": {"$ref": "#/$defs/e"}},
        "required": ["op", "left", "right"]}, {"type": "boolean"}]}}, "$ref": "#/$defs/e"})";

// Random answers: at each token both allow the same.
TEST(Grammar, AllowsWhatLibllamaAllows) {
  for (const auto& [model, tokens] : {std::pair{&tiny_model(), 150}, std::pair{&smollm2(), 12}}) {
    std::uint32_t position = 0;
    const AnswerRandom random(7, "grammar", 0);
    for (const std::string& text :
         {schema(kTree), schema(kList), schema(kAny), schema(kKinds), schema("{}"),
          schema(R"({"type": "string", "pattern": "^(a|ab|é)*[^x-z]{2,5}$"})"),
          schema(R"({"type": "array", "items": {"enum": ["red", "redder", "green", 1, 12]},
                     "minItems": 2, "maxItems": 9})"),
          std::string("root ::= \"(\" root \")\" root | \"x\"? [^(]"),
          std::string("root ::= <[260]>{1,2} (\"word\" | [a-e] .){3,} [é-\\u4e00]*")}) {
      const auto ours = grammar(*model, text);
      Peer theirs(*model, text);
      for (int i = 0; i < tokens; ++i) {
        Tokens left = allowed(*ours, *model), theirs_left = theirs.allowed();
        for (Tokens* each : {&left, &theirs_left}) {
          // Bytes that no character has, which libllama takes for the beginning of one.
          std::erase_if(*each, [&](Token token) {
            return model == &tiny_model() && token >= byte(0xF8) && token <= byte(0xFF);
          });
        }
        ASSERT_EQ(left, theirs_left) << text;
        const double drawn = random.uniform(position++);
        const auto index = static_cast<std::size_t>(drawn * static_cast<double>(left.size()));
        if (left.empty() || model->is_end(left[index])) break;
        EXPECT_TRUE(ours->allows(left[index]));
        ASSERT_TRUE(ours->accept(left[index]).ok());
        theirs.accept(left[index]);
      }
    }
  }
}

TEST(Grammar, CharactersMayLieAcrossTokens) {
  const auto either = grammar(tiny_model(), "root ::= [ä-ö] \"€\" | \"é\"");
  EXPECT_TRUE(either->allows(byte(0xC3)));
  EXPECT_FALSE(either->allows(byte(0xC2)));
  EXPECT_FALSE(either->allows(byte(0xA4)));
  ASSERT_TRUE(either->accept(byte(0xC3)).ok());
  EXPECT_FALSE(either->allows(byte('a')));
  EXPECT_FALSE(either->allows(byte(0xA3)));  // ã
  EXPECT_TRUE(either->allows(byte(0xA9)));
  EXPECT_FALSE(either->allows(2));
  ASSERT_TRUE(either->accept(byte(0xA4)).ok());
  EXPECT_EQ(allowed(*either, tiny_model()), Tokens{byte(0xE2)});
  ASSERT_TRUE(either->accept(byte(0xE2)).ok());
  ASSERT_TRUE(either->accept(byte(0x82)).ok());
  EXPECT_EQ(allowed(*either, tiny_model()), Tokens{byte(0xAC)});
}

TEST(Grammar, TakesTokensAsAWhole) {
  const auto either = grammar(tiny_model(), "root ::= <[262]> \"a\" | \"c\" \"b\" | !<[262]>");
  ASSERT_TRUE(either->accept(262).ok());  // "c"
  EXPECT_TRUE(either->allows(byte('a')));
  EXPECT_TRUE(either->allows(byte('b')));
  EXPECT_FALSE(either->allows(2));
}

TEST(Grammar, TellsWhatIsNotAllowed) {
  const auto letter = grammar(tiny_model(), "root ::= \"a\"");
  EXPECT_EQ(letter->accept(byte('b')).error().kind, ErrorKind::kInternal);
}

// --- Work ---------------------------------------------------------------------------------------

const std::string kHostile =
    R"({"$defs": {"x": {"anyOf": [{"type": "array", "items": {"$ref": "#/$defs/x"}},
        {"type": "array", "items": {"$ref": "#/$defs/x"}}]}},
        "type": "array", "items": {"$ref": "#/$defs/x"}})";

TEST(Grammar, AnAmbiguousSchemaTakesLittleWork) {
  const auto arrays = grammar(smollm2(), schema(kHostile));
  const Tokens brackets = smollm2().tokenize("[[", false).value();
  std::size_t first = 0;
  for (int i = 0; i < 500; ++i) {
    ASSERT_TRUE(arrays->accept(brackets.front()).ok());
    if (i == 10) first = arrays->work();
  }
  EXPECT_LT(arrays->work(), 4 * first);
  EXPECT_LT(first, 2000u);
  EXPECT_FALSE(allowed(*arrays, smollm2()).empty());
  EXPECT_LT(arrays->work(), 1000000u);
}

// An ordinary answer stays far below the bound, for all tokens of a large vocabulary, too.
TEST(Grammar, OrdinarySchemasTakeLittleWork) {
  for (const Model* model : {&smollm2(), &gemma3()}) {
    for (const char* text : {kTree, kList, kAny, kKinds, "{}"}) {
      const auto held = grammar(*model, schema(text));
      const std::string begin = text == kList    ? "{\"value\": 1"
                                : text == kKinds ? "{\"op\": \"a"
                                : text == kTree  ? "{\"name\": \"abc"
                                                 : "{\"a\": \"abc";
      const Tokens tokens = model->tokenize(begin, false).value();
      for (const Token token : tokens) {
        ASSERT_TRUE(held->accept(token).ok()) << text;
        EXPECT_LT(held->work(), 10000u) << text;
      }
      allowed(*held, *model);
      EXPECT_LT(held->work(), 20 * model->n_vocab()) << text;
    }
  }
}

TEST(Grammar, EndsWhereTheWorkIsUsedUp) {
  const auto held = grammar(tiny_model(), "root ::= \"a\" root root \"b\" | \"a\" root | \"a\"");
  Status status;
  int accepted = 0;
  for (; accepted < 20000 && status.ok(); ++accepted) status = held->accept(byte('a'));
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind, ErrorKind::kUnsupported);
  EXPECT_GT(accepted, 20);
}

TEST(Grammar, AMaskThatTakesTooMuchWorkIsNone) {
  // Each of 200 beginnings goes on with anything.
  std::string text = "root ::= r0";
  for (int i = 1; i < 200; ++i) text += " | r" + std::to_string(i);
  for (int i = 0; i < 200; ++i) {
    text += "\nr" + std::to_string(i) + " ::= .{0," + std::to_string(3 + i) + "} \"" +
            std::to_string(i) + "\"";
  }
  const auto held = grammar(smollm2(), text);
  std::vector<float> logits(smollm2().n_vocab(), 1);
  const Status masked = held->mask(logits);
  ASSERT_FALSE(masked.ok());
  EXPECT_EQ(masked.error().kind, ErrorKind::kUnsupported);
  EXPECT_EQ(logits, std::vector<float>(smollm2().n_vocab(), 1));
}

}  // namespace
}  // namespace llmpatch
