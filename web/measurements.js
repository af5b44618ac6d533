// What this page measures of its own messages: time to the first token, tokens per second.

const WINDOW = 60;  // seconds of throughput that are kept

// One answer. A streamed piece counts as a token until the usage says how many there were.
class Measured {
  #begun = performance.now();
  #first = null;
  #last = null;
  #pieces = 0;
  #usage = null;

  constructor(column, number) {
    this.column = column;
    this.number = number;
  }

  piece() {
    this.#last = performance.now();
    this.#first ??= this.#last;
    this.#pieces += 1;
    this.column.pieces.push(this.#last);
  }

  usage(usage) {
    this.#usage = usage;
  }

  // The figures of the answer (see Answer.finish), which count from now on.
  end() {
    const tokens = this.#usage?.completion_tokens ?? (this.#pieces || null);
    const firstToken = this.#first === null ? null : this.#first - this.#begun;
    const seconds = (this.#last - this.#first) / 1000;
    const rate = tokens > 1 && seconds > 0 ? (tokens - 1) / seconds : null;
    this.column.answers += 1;
    this.column.tokens += tokens ?? 0;
    if (firstToken !== null) this.column.firstTokens.set(this.number, firstToken);
    if (rate !== null) this.column.rates.push(rate);
    return { tokens, firstToken, rate, prefixRows: this.#usage?.prefix_rows ?? 0 };
  }
}

export class Measurements {
  #columns = new Map();  // letter -> what was measured of it

  // A request of that column for the message of that number leaves now.
  begin(letter, number) {
    if (!this.#columns.has(letter)) {
      this.#columns.set(letter, { answers: 0, tokens: 0, firstTokens: new Map(), rates: [], pieces: [] });
    }
    return new Measured(this.#columns.get(letter), number);
  }

  // Forgets one column, or all.
  remove(letter) {
    this.#columns.delete(letter);
  }
  clear() {
    this.#columns.clear();
  }

  // Tokens in each of the last WINDOW whole seconds, the oldest first.
  throughput(letter) {
    const column = this.#columns.get(letter);
    const bins = new Array(WINDOW).fill(0);
    if (!column) return bins;
    const second = Math.floor(performance.now() / 1000);  // the one that is not whole yet
    column.pieces = column.pieces.filter((time) => time / 1000 >= second - WINDOW);
    for (const time of column.pieces) {
      const age = second - Math.floor(time / 1000);
      if (age >= 1) bins[WINDOW - age] += 1;
    }
    return bins;
  }

  // Of each message from 1 to `count`: ms, null where the column gave no answer.
  firstTokens(letter, count) {
    const times = this.#columns.get(letter)?.firstTokens;
    return Array.from({ length: count }, (_, i) => times?.get(i + 1) ?? null);
  }

  // {answers, tokens, firstToken, rate}: the last two are medians, null without any answer.
  summary(letter) {
    const column = this.#columns.get(letter);
    if (!column) return { answers: 0, tokens: 0, firstToken: null, rate: null };
    return {
      answers: column.answers,
      tokens: column.tokens,
      firstToken: median([...column.firstTokens.values()]),
      rate: median(column.rates),
    };
  }
}

function median(values) {
  if (values.length === 0) return null;
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
