// The card of a patch: what was measured without and with it, side by side, with intervals.
import { element, tableHead } from "./dom.js";

const WORDS = { base: "Base", system: "System prompt", patched: "Patched" };

export function card(patch) {
  const { card: effects } = patch;
  if (!effects || effects.length === 0) {
    return element("p", { class: "muted" }, "This patch has no evaluation on its card.");
  }
  const systems = [...new Set(effects.map(({ system }) => system))];
  const rows = Map.groupBy(effects, ({ suite, metric }) => `${suite}\n${metric}`);
  return element("div", { class: "scroll", role: "region", tabindex: "0",
                          "aria-label": `Card of ${patch.name} ${patch.version}` },
    element("table", { class: "card" },
      element("caption", {}, "Card: what was measured, with 95 % intervals"),
      tableHead(["Suite", "Metric", ...systems.map((system) => WORDS[system] ?? system), "n"]),
      element("tbody", {}, ...[...rows.values()].map((row) => element("tr", {},
        element("th", { scope: "row" }, row[0].suite), element("td", {}, row[0].metric),
        ...systems.map((system) => cell(row.find((effect) => effect.system === system))),
        element("td", {}, String(row[0].n)))))));
}

function cell(effect) {
  if (!effect) return element("td", {}, "–");
  const { value, low, high } = effect;
  // Shares are measured from 0 to 1; whatever is beyond is a figure of another kind.
  const share = [value, low, high].every((each) => each >= 0 && each <= 1);
  const show = (each) => (share ? (100 * each).toFixed(1) : each.toPrecision(3));
  return element("td", {}, element("span", { class: "value" }, share ? `${show(value)} %` : show(value)),
    element("span", { class: "interval" }, ` ${show(low)} to ${show(high)}`),
    share ? element("meter", { value: String(value), "aria-hidden": "true" }) : null);
}
