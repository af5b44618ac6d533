// The conversation that all columns share: each message goes to every column at once, and each
// column keeps what it answered itself.
import { Answer } from "./answer.js";
import { element } from "./dom.js";
import { answerRequest } from "./request.js";

const TRIES = 20;  // of a request that the server has no room for
const DEFAULT_RETRY = 2;  // seconds, where the server names none

export class Conversation {
  #running = new Set();  // the AbortController of each answer that is being given
  #failures = [];        // of the answers since the last announcement

  // `turnsNode` takes the turns. `context` is {api, measurements, settings(), model(), changed(),
  // announce(text)}: changed() is called when answers begin and when the last one ends.
  constructor(turnsNode, context) {
    this.turnsNode = turnsNode;
    this.context = context;
    this.turns = [];  // {prompt, node, grid, answers: letter -> Answer}
  }

  get running() {
    return this.#running.size > 0;
  }

  // Sends `prompt` to every column; resolves when all have answered, failed or been stopped.
  async send(prompt, columns) {
    const number = this.turns.length + 1;
    const grid = element("div", { class: "grid" });
    const node = element("article", { class: "turn", "aria-labelledby": `prompt-${number}` },
      element("h3", { class: "prompt", id: `prompt-${number}` },
        element("span", { class: "unseen" }, `Message ${number}: `), prompt), grid);
    for (const answer of this.turns.at(-1)?.answers.values() ?? []) answer.settle();
    const turn = { number, prompt, grid, node, answers: new Map() };
    this.turns.push(turn);
    this.turnsNode.append(node);
    const names = columns.length === 1 ? "One column is" : `${columns.length} columns are`;
    this.context.announce(`${names} answering.`);
    const answers = columns.map((column) => this.#answer(turn, column));
    node.scrollIntoView({ block: "start" });
    await Promise.all(answers);
  }

  // Ends every answer where it is.
  stop() {
    for (const controller of this.#running) controller.abort();
  }

  // Begins anew.
  clear(columns) {
    this.stop();
    this.turns = [];
    this.turnsNode.replaceChildren();
    for (const column of columns) column.turns = [];
  }

  // A column that has not answered the earlier messages.
  add(column) {
    for (const turn of this.turns) {
      turn.grid.append(element("p", { class: "absent", "data-letter": column.letter },
        `${column.letter} was not there yet.`));
    }
  }

  remove(column) {
    for (const node of this.turnsNode.querySelectorAll(`[data-letter="${column.letter}"]`)) {
      node.closest(".grid > *").remove();
    }
    column.abort?.();
  }

  #answer(turn, column) {
    const stack = column.stack;  // what is switched meanwhile is for the next message
    const answer = new Answer(column.letter, stack, () => {
      answer.node.closest(".turn").querySelector("h3").scrollIntoView({ block: "nearest" });
      this.#run(turn, column, column.stack, answer);
    });
    turn.answers.set(column.letter, answer);
    turn.grid.append(answer.node);
    return this.#run(turn, column, stack, answer);
  }

  async #run(turn, column, stack, answer) {
    const controller = new AbortController();
    const { turns } = column;  // a conversation begun meanwhile has others
    column.abort = () => controller.abort();
    this.#running.add(controller);
    this.context.changed();
    const request = answerRequest(this.context.model(), stack, this.context.settings(), turns,
                                  turn.prompt);
    try {
      const said = await this.#stream(request, turn.number, column, answer, controller.signal);
      if (said !== "") turns.push({ prompt: turn.prompt, answer: said });
    } finally {
      this.#running.delete(controller);
      if (!this.running) {
        this.context.announce(["Every column is done.", ...this.#failures.splice(0)].join(" "));
      }
      this.context.changed();
    }
  }

  // Streams into `answer` and returns its text, "" where it failed.
  async #stream(request, number, column, answer, signal) {
    const { api, measurements } = this.context;
    for (let attempt = 1; ; ++attempt) {
      const measured = measurements.begin(column.letter, number);
      answer.start();
      try {
        let finish = "";
        for await (const event of api.answer(request, signal)) {
          if ("stack" in event) answer.runs(event.stack);
          if ("text" in event) {
            measured.piece();
            answer.append(event.text);
          }
          if ("finish" in event) finish = event.finish;
          if ("usage" in event) measured.usage(event.usage);
        }
        answer.finish(finish, measured.end());
        return answer.text.data;
      } catch (error) {
        if (error.name === "AbortError") {
          answer.finish("stopped", measured.end());
          return answer.text.data;
        }
        if (error.status !== 429 || attempt === TRIES ||
            !(await countDown(error.retryAfter ?? DEFAULT_RETRY, answer, signal))) {
          answer.fail(error);
          this.#failures.push(`Column ${column.letter} failed: ${error.message}`);
          return "";
        }
      }
    }
  }
}

// Waits; false if it was stopped meanwhile.
async function countDown(seconds, answer, signal) {
  for (; seconds > 0 && !signal.aborted; --seconds) {
    answer.wait(seconds);
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, 1000);
      signal.addEventListener("abort", () => {
        clearTimeout(timer);
        resolve();
      }, { once: true });
    });
  }
  return !signal.aborted;
}
