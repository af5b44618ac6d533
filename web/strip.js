// A stack drawn as what it is: blocks before the conversation, one after the other or side by side.
import { element } from "./dom.js";
import { PARALLEL, composes, isBase } from "./stack.js";

// `catalog` names the versions and rows of what is asked for by bare name; decoration to a screen
// reader, which has the column's heading.
export function strip(stack, catalog) {
  const blocks = stack.patches.map((entry) => {
    const patch = catalog.resolve(entry);
    const version = patch?.version ?? entry.version ?? "not active";
    return element("span", { class: "block", "data-missing": patch?.state !== "ready" },
      element("b", {}, entry.name), element("small", {}, version));
  });
  if (isBase(stack)) blocks.push(element("span", { class: "block none" }, element("b", {}, "no patch")));
  return element("div", { class: "strip", "aria-hidden": "true" },
    element("span", { class: "blocks", "data-parallel": composes(stack) && stack.compose === PARALLEL },
      ...blocks),
    element("span", { class: "onward" }, "conversation"));
}
