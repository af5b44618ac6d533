#include "serve/completions.h"

#include <openssl/rand.h>

#include <algorithm>
#include <utility>

#include "base/quote.h"
#include "runtime/chat_template.h"
#include "runtime/grammar_check.h"
#include "runtime/json_schema.h"
#include "runtime/prompt.h"

namespace llmpatch {
namespace {

std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  RAND_bytes(reinterpret_cast<unsigned char*>(&seed), sizeof seed);
  return seed;
}

// A grammar that the engine will take.
Result<std::string> checked_grammar(const std::string& schema) {
  LLMPATCH_ASSIGN(std::string grammar, json_schema_grammar(schema));
  LLMPATCH_TRY(check_grammar(grammar));
  return grammar;
}

// The prompt, and how the answer is held to its form. Conversations without tools are rendered as
// everywhere else.
Result<ToolTurn> open_turn(const Model& model, const ChatRequest& request) {
  if (!request.tools.tools.empty() || request.has_tool_messages) {
    return open_tool_turn(model, request.messages, request.tools);
  }
  Prompt prompt;
  prompt.messages = request.messages;
  ToolTurn turn;
  LLMPATCH_ASSIGN(turn.prompt, encode_prompt(model, prompt, PromptFormat::kChat));
  return turn;
}

// The last thing that a user said.
std::string asked(const std::vector<Message>& messages) {
  Prompt prompt;
  prompt.messages = messages;
  return prompt.text();
}

// `where` names the field where tools are at fault.
ApiError turn_error(const Error& error) {
  const bool is_field = error.where == "tools" || error.where == "parallel_tool_calls";
  ApiError made = is_field ? field_error(error) : engine_error(error);
  if (!is_field) made.param = "messages";
  return made;
}

Result<Tokens> tokens_of(const Model& model, const std::variant<std::string, Tokens>& prompt) {
  Tokens tokens = model.bos();
  if (const auto* text = std::get_if<std::string>(&prompt)) {
    LLMPATCH_ASSIGN(const Tokens rest, model.tokenize(*text, /*parse_special=*/false));
    tokens.insert(tokens.end(), rest.begin(), rest.end());
    return tokens;
  }
  const Tokens& given = std::get<Tokens>(prompt);
  if (!tokens.empty() && given.front() == tokens.front()) return given;
  tokens.insert(tokens.end(), given.begin(), given.end());
  return tokens;
}

}  // namespace

Completions::Completions(ServingEngine& engine, Patches& patches, Workers& finishers,
                         Metrics& metrics, AnswerAudit& audit, CompletionsOptions options)
    : engine_(engine),
      patches_(patches),
      finishers_(finishers),
      metrics_(metrics),
      audit_(audit),
      options_(std::move(options)),
      rules_(options_.rules),
      shares_(QueueShares::create(options_.max_answers)) {}

void Completions::set_rules(const AnswerRules& rules) {
  const std::lock_guard lock(mutex_);
  rules_ = rules;
}

AnswerRules Completions::rules() const {
  const std::lock_guard lock(mutex_);
  return rules_;
}

RequestLimits Completions::limits() const {
  return {rules().max_tokens, engine_.model().n_vocab()};
}

std::optional<ResolvedStack> Completions::admit(ApiCall& call, const AnswerRequest& request) const {
  const std::optional<ModelId> id = parse_model_id(request.model, options_.model);
  if (!id) {
    call.fail({404,
               "model: found " + quote(request.model) + ", expected " + quote(options_.model) +
                   ", alone or with patches after a +",
               "model_not_found", "model"});
    return std::nullopt;
  }
  const std::shared_ptr<const PatchTable> table = patches_.table();
  const auto fail = [&](const Error& error) {
    ApiError shown = stack_error(error);
    if (request.stack.patches) shown.param = "patches";
    call.fail(shown);
    return std::nullopt;
  };
  const auto names = table->wanted(request.stack, *id);
  if (!names.ok()) return fail(names.error());
  // Before anything is looked up: what this key may not run, it is not told of either.
  for (const Requirement& wanted : *names) {
    if (call.caller().may_run(wanted.name)) continue;
    call.fail({403, "this key may not run these patches", "patch_not_allowed", "patches"});
    return std::nullopt;
  }
  Result<ResolvedStack> stack = table->resolve(request.stack, *id);
  if (!stack.ok()) return fail(stack.error());
  if (stack->patches.empty()) {
    // Where none is asked for, an empty stack is the operator's own choice.
    const bool asks = request.stack.patches && request.stack.patches->empty();
    if (!call.caller().may_run_unpatched(!asks || table->allow_unpatched)) {
      call.fail({403,
                 "patches: found none, expected at least one: this server does not run the "
                 "model without",
                 "unpatched_not_allowed", "patches"});
      return std::nullopt;
    }
  }
  return std::move(*stack);
}

ServingRequest Completions::base_request(const ApiCall& call, const AnswerRequest& request,
                                         const Stack& stack) const {
  ServingRequest base;
  base.stack = stack;
  base.sampling = request.sampling;
  base.sampling.base.seed =
      request.seed ? static_cast<std::uint64_t>(*request.seed) : random_seed();
  const AnswerRules now = rules();
  base.max_tokens = request.max_tokens.value_or(now.max_tokens);
  base.stop = request.stop;
  base.logprobs = request.logprobs;
  base.tenant = call.caller().name();
  base.deadline = std::chrono::steady_clock::now() + now.timeout;
  return base;
}

bool Completions::fits(ApiCall& call, const Tokens& prompt, const ResolvedStack& stack,
                       const char* field) const {
  // The cache has to hold the rows of the patches, too.
  const auto cells = static_cast<std::size_t>(engine_.plan().request_cells);
  const std::size_t context = std::min(static_cast<std::size_t>(engine_.plan().context),
                                       cells - std::min(cells, stack.rows()));
  if (!prompt.empty() && prompt.size() < context) return true;
  const std::string most = std::to_string(context == 0 ? 0 : context - 1);
  call.fail({400,
             std::string(field) + ": found " + std::to_string(prompt.size()) +
                 " tokens, expected 1 to " + most + " (the context, less one for the answer)",
             prompt.empty() ? "invalid_value" : "context_length_exceeded", field});
  return false;
}

AnswerFrame Completions::frame(const ApiCall& call, const AnswerRequest& request,
                               const ResolvedStack& stack, std::vector<std::string> prompts) const {
  AnswerFrame frame;
  frame.model = options_.model + (stack.patches.empty() ? "" : "+" + stack.title());
  frame.fingerprint = options_.fingerprint;
  frame.stack = stack.header();
  frame.llmpatch = stack.json();
  frame.headers = {{"llmpatch-stack", stack.header()}};
  frame.stream = request.stream;
  frame.include_usage = request.include_usage;
  frame.n = static_cast<std::size_t>(request.n);
  if (!audit_.is_on()) return frame;
  std::vector<std::string> patches;
  for (const auto& patch : stack.patches) patches.push_back(patch->title());
  frame.on_texts = [&audit = audit_, id = call.id(), n = frame.n, patches = std::move(patches),
                    prompts = std::move(prompts)](const std::vector<std::string>& texts, bool cut) {
    for (std::size_t i = 0; i < texts.size(); ++i) {
      audit.take({id, patches, prompts.at(i / n), texts[i], cut});
    }
  };
  return frame;
}

void Completions::run(const std::shared_ptr<ApiCall>& call, const AnswerRequest& request,
                      const std::vector<Tokens>& prompts, ServingRequest base,
                      std::unique_ptr<AnswerShape> shape, AnswerFrame frame) {
  if (!request.user.empty()) call->note("user", request.user);
  call->audit();
  Result<std::shared_ptr<QueueShares::Ticket>> ticket =
      QueueShares::take(shares_, base.tenant, prompts.size() * static_cast<std::size_t>(request.n));
  if (!ticket.ok()) return call->fail(share_error(ticket.error()));
  std::vector<ServingRequest> requests;
  for (const Tokens& prompt : prompts) {
    for (int i = 0; i < request.n; ++i) {
      requests.push_back(base);
      requests.back().prompt = prompt;
      requests.back().sampling.base.sample = static_cast<std::uint32_t>(i);
    }
  }
  const auto answer =
      std::make_shared<Answer>(call, engine_, finishers_, metrics_, std::move(shape),
                               std::move(frame), requests.size(), std::move(*ticket));
  answer->submit(std::move(requests));
}

void Completions::chat(const std::shared_ptr<ApiCall>& call) {
  const Model& model = engine_.model();
  const Result<ChatRequest> request = parse_chat_request(call->request().body, limits());
  if (!request.ok()) return call->fail(field_error(request.error()));
  if (model.chat_template() == nullptr) {
    return call->fail(
        {400, "this model has no chat template, and so no conversations", "no_chat_template", ""});
  }
  const std::optional<ResolvedStack> stack = admit(*call, *request);
  if (!stack) return;
  const Result<ToolTurn> turn = open_turn(model, *request);
  if (!turn.ok()) return call->fail(turn_error(turn.error()));
  if (!fits(*call, turn->prompt, *stack, "messages")) return;
  std::string grammar;
  if (!request->schema.empty()) {
    Result<std::string> made = checked_grammar(request->schema);
    if (!made.ok()) {
      return call->fail(
          {400, "response_format: " + made.error().message, "invalid_value", "response_format"});
    }
    grammar = std::move(*made);
  }
  const Result<Stack> engine_stack = stack->engine_stack();
  if (!engine_stack.ok()) return call->fail(stack_error(engine_stack.error()));
  ServingRequest base = base_request(*call, *request, *engine_stack);
  base.sampling.grammar = turn->grammar.empty() ? std::move(grammar) : turn->grammar;
  base.sampling.grammar_triggers = turn->triggers;
  base.sampling.markers = turn->markers;
  base.stop.insert(base.stop.end(), turn->stop.begin(), turn->stop.end());
  AnswerFrame made = frame(*call, *request, *stack, {asked(request->messages)});
  made.names_tier = request->names_tier;
  if (!request->safety_identifier.empty()) {
    call->note("safety_identifier", request->safety_identifier);
  }
  if (!request->metadata.is_null()) call->note("metadata", OrderedJson(request->metadata));
  auto shape = turn->parser == nullptr
                   ? chat_shape(model, request->logprobs)
                   : tool_shape(turn->parser, static_cast<std::size_t>(request->n));
  run(call, *request, {turn->prompt}, std::move(base), std::move(shape), std::move(made));
}

void Completions::complete(const std::shared_ptr<ApiCall>& call) {
  const Model& model = engine_.model();
  const Result<CompletionRequest> request =
      parse_completion_request(call->request().body, limits());
  if (!request.ok()) return call->fail(field_error(request.error()));
  const std::optional<ResolvedStack> stack = admit(*call, *request);
  if (!stack) return;
  std::vector<Tokens> prompts;
  for (const auto& prompt : request->prompts) {
    Result<Tokens> tokens = tokens_of(model, prompt);
    if (!tokens.ok()) {
      ApiError error = engine_error(tokens.error());
      error.param = "prompt";
      return call->fail(error);
    }
    if (!fits(*call, *tokens, *stack, "prompt")) return;
    prompts.push_back(std::move(*tokens));
  }
  const Result<Stack> engine_stack = stack->engine_stack();
  if (!engine_stack.ok()) return call->fail(stack_error(engine_stack.error()));
  ServingRequest base = base_request(*call, *request, *engine_stack);
  base.prompt_logprobs = request->echo && request->logprobs >= 0;
  CompletionShapeOptions shape;
  shape.logprobs = request->logprobs;
  shape.n = request->n;
  shape.echo = request->echo;
  shape.drop_answer = *request->max_tokens == 0;
  shape.prompts = prompts;
  shape.has_bos = !model.bos().empty();
  std::vector<std::string> texts;
  if (audit_.is_on()) {
    for (const Tokens& tokens : prompts) texts.push_back(model.text(tokens));
  }
  AnswerFrame made = frame(*call, *request, *stack, std::move(texts));
  if (shape.drop_answer) {  // 0 would mean no limit; the engine has to make one
    base.max_tokens = 1;
    made.counts_answer = false;
    made.on_texts = nullptr;
  }
  run(call, *request, prompts, std::move(base), completion_shape(model, std::move(shape)),
      std::move(made));
}

}  // namespace llmpatch
