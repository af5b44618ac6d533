// The server's figures, from Prometheus' text format.

// Sums the samples of `name` whose labels hold every one of `labels`; null where there is none.
export function sum(text, name, labels = {}) {
  let total = null;
  for (const line of text.split("\n")) {
    if (!line.startsWith(name)) continue;
    const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/.exec(line);
    if (!match || match[1] !== name) continue;
    const wanted = Object.entries(labels).every(([label, value]) => match[2]?.includes(`${label}="${value}"`));
    if (wanted) total = (total ?? 0) + Number(match[3]);
  }
  return total;
}

// The counters that the charts follow, at one moment (in ms).
export function sample(text, time) {
  return {
    time,
    generated: sum(text, "llmpatch_tokens_total", { kind: "generated" }),
    prompt: sum(text, "llmpatch_tokens_total", { kind: "prompt" }),
    running: sum(text, "llmpatch_requests_running"),
    waiting: sum(text, "llmpatch_requests_waiting"),
    firstTokenSum: sum(text, "llmpatch_time_to_first_token_seconds_sum"),
    firstTokenCount: sum(text, "llmpatch_time_to_first_token_seconds_count"),
    betweenSum: sum(text, "llmpatch_inter_token_seconds_sum"),
    betweenCount: sum(text, "llmpatch_inter_token_seconds_count"),
  };
}

// What happened between two samples: tokens per second, mean latencies in ms (null where nothing
// was served).
export function interval(before, after) {
  const seconds = (after.time - before.time) / 1000;
  const mean = (sum, count) => {
    const served = after[count] - before[count];
    return served > 0 ? (1000 * (after[sum] - before[sum])) / served : null;
  };
  return {
    generated: (after.generated - before.generated) / seconds,
    prompt: (after.prompt - before.prompt) / seconds,
    firstToken: mean("firstTokenSum", "firstTokenCount"),
    between: mean("betweenSum", "betweenCount"),
  };
}
