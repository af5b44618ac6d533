// Conversations in which the model may call functions: the prompt that tells it which there are,
// the grammar that holds its calls to their schemas, and the parser that reads them out of its
// answer. All by llama.cpp's own code, which finds the form of calls out from the model's template;
// a model whose template knows no functions gets a form of its own (docs/api.md).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "runtime/chat_template.h"
#include "runtime/model.h"

namespace llmpatch {

struct Tool {
  std::string name;  // letters, digits, _ and -
  std::string description;
  std::string parameters;  // JSON schema of its arguments, as the model is told
  std::string arguments;   // the one that they are held to (tool_schema.h)
};

struct ToolUse {
  std::vector<Tool> tools;
  bool must = false;             // the answer is a call
  std::string only;              // of this function; empty: of any
  std::optional<bool> parallel;  // several calls in an answer; not given: where the form has them
};

// What an answer says and calls.
struct ToolAnswer {
  std::string content;
  std::vector<ToolCall> calls;  // ids are empty where the form has none
};

// Thread-safe.
class ToolParser {
 public:
  virtual ~ToolParser() = default;
  // Reads the answer's text; without `is_whole` as far as it goes: then what is given out only
  // grows with the text, but for a name or a text that turns out to begin a call. kCorrupt where
  // it is no answer in the model's form, kLimit where it is nested too deep to be read.
  virtual Result<ToolAnswer> parse(const std::string& text, bool is_whole) const = 0;
};

struct ToolTurn {
  Tokens prompt;                      // with BOS; ends with the opening of the assistant's turn
  std::string grammar;                // GBNF; empty: none
  std::vector<std::string> triggers;  // texts of which one has to come before the grammar holds;
                                      // none: it holds from the beginning
  Tokens markers;                     // control tokens that the form of calls is made of
  std::vector<std::string> stop;      // further texts that end the answer
  std::shared_ptr<const ToolParser> parser;  // null without tools
};

// Messages may have the role "tool", and calls. Without `use.tools` the model is told of none, and
// calls none. kInvalidArgument where the template refuses the conversation, or the name of a tool
// cannot be told from another's; kUnsupported (`where` is the field of the API that asks for it)
// for what the model's form of calls has no place for, and for control tokens in what a template
// would take for its own text; kLimit for a grammar beyond check_grammar's limits or 256 KiB.
// Thread-safe.
Result<ToolTurn> open_tool_turn(const Model& model, const std::vector<Message>& messages,
                                const ToolUse& use);

}  // namespace llmpatch
