// One column's answer to one message: its text as it comes, what ran, its figures, its failure.
import { element } from "./dom.js";
import { describe, isBase, parseHeader } from "./stack.js";

// What to do about an error, by the API's code.
const HINTS = {
  unpatched_not_allowed: "Switch a patch on in this column, or let the operator start the server " +
                         "with --allow-unpatched.",
  patch_not_allowed: "This API key may not run that stack.",
  patch_not_found: "Choose another version in this column.",
  patch_revoked: "It was taken back by its vendor. Choose another version in this column.",
  invalid_api_key: "Set the API key in Settings.",
  no_chat_template: "Choose “Text that goes on” in Settings.",
  context_length_exceeded: "Begin a new conversation, or a shorter message.",
};

export class Answer {
  // `again` is called when the person wants it tried once more.
  constructor(letter, stack, again) {
    this.again = again;
    this.ran = element("span", { class: "ran" });
    this.foot = element("div", { class: "foot" });
    this.body = element("div", { class: "text" });
    this.node = element("section", { class: "answer", "data-letter": letter },
      element("h4", {}, element("span", { class: "letter", "aria-hidden": "true" }, letter),
        element("span", { class: "unseen" }, `Column ${letter}: `), this.ran),
      this.body, this.foot);
    this.#showStack(stack);
  }

  #showStack(stack) {
    this.node.dataset.base = isBase(stack);
    this.ran.textContent = describe(stack);
  }

  start() {
    this.text = document.createTextNode("");
    this.body.replaceChildren(this.text);
    this.foot.replaceChildren();
    this.#state("waiting");
  }

  // `header` is llmpatch-stack: what runs, with its versions.
  runs(header) {
    if (header !== "") this.#showStack(parseHeader(header));
  }

  append(piece) {
    this.text.appendData(piece);
    this.#state("streaming");
  }

  // Counts down to another try.
  wait(seconds) {
    this.#state("waiting");
    this.foot.replaceChildren(
      element("p", {}, `The server's queue is full. Trying again in ${seconds} s.`));
  }

  // `figures` is {tokens, firstToken, rate, prefixRows}, in ms and tokens per second, null where not known.
  finish(finish, { tokens, firstToken, rate, prefixRows }) {
    this.#state("done");
    const parts = [
      tokens !== null && `${tokens} ${tokens === 1 ? "token" : "tokens"}`,
      firstToken !== null && `${Math.round(firstToken)} ms to the first`,
      rate !== null && `${rate.toFixed(1)} per second`,
      prefixRows > 0 && `${prefixRows} patch rows`,
      finish === "length" && "cut at the limit of tokens",
      finish === "stopped" && "stopped",
    ];
    this.foot.replaceChildren(element("p", { class: "figures" }, parts.filter(Boolean).join(" · ")));
  }

  fail(error) {
    this.#state("failed");
    const retry = element("button", { type: "button", class: "quiet", onclick: () => this.again() },
      "Try again");
    const hint = HINTS[error.code];
    this.foot.replaceChildren(element("div", { class: "error" },
      element("p", {}, element("b", {}, error.status > 0 ? `${error.status} ` : ""), error.message),
      hint && element("p", {}, hint), retry));
  }

  // Only the last message can be tried again.
  settle() {
    this.foot.querySelector("button")?.remove();
  }

  #state(state) {
    if (this.node.dataset.state === state) return;
    this.node.dataset.state = state;
    this.node.setAttribute("aria-busy", state === "waiting" || state === "streaming");
  }
}
