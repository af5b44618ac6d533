// The request that a column sends, in either form that a model can be asked.
import { composes, specs } from "./stack.js";

// `turns` are the column's earlier ones, {prompt, answer}. `settings` is {form, systemPrompt,
// maxTokens, temperature}, the last two null where the server decides.
export function answerRequest(model, stack, settings, turns, prompt) {
  const body = {
    model,
    patches: specs(stack),
    stream: true,
    stream_options: { include_usage: true },
  };
  if (composes(stack)) body.compose = stack.compose;
  if (settings.temperature !== null) body.temperature = settings.temperature;
  if (settings.form === "raw") {
    if (settings.maxTokens !== null) body.max_tokens = settings.maxTokens;
    return { path: "v1/completions", body: { ...body, prompt } };
  }
  if (settings.maxTokens !== null) body.max_completion_tokens = settings.maxTokens;
  const messages = [];
  if (settings.systemPrompt !== "") messages.push({ role: "system", content: settings.systemPrompt });
  for (const turn of turns) {
    messages.push({ role: "user", content: turn.prompt }, { role: "assistant", content: turn.answer });
  }
  messages.push({ role: "user", content: prompt });
  return { path: "v1/chat/completions", body: { ...body, messages } };
}
