// The view Patches: each patch with its versions, signer and card, its history, and what changes it.
import { card } from "./card.js";
import { byId, element, tableHead } from "./dom.js";

const SOON = "New requests run on it at once. Those that run now finish on what they began with.";

export class PatchList {
  #histories = new Set();  // names whose history is open

  // `dialog` is a ChangeDialog.
  constructor(api, dialog) {
    this.api = api;
    this.dialog = dialog;
    this.node = byId("all-patches");
  }

  show(catalog) {
    this.admin = catalog.admin;
    const patches = [...catalog.versions].map(([name, versions]) => this.#patch(name, versions));
    this.node.replaceChildren(...(patches.length > 0
      ? patches : [element("p", { class: "empty" }, "This server has no patches.")]));
  }

  #patch(name, versions) {
    const current = versions.find((patch) => patch.active) ?? versions[0];
    const id = `patch-${name}`;
    const node = element("article", { class: "patch", "aria-labelledby": id },
      element("h2", { id, tabindex: "-1" }, name),
      element("p", { class: "lead" }, current.summary ?? "No summary."),
      ...versions.map((patch) => this.#version(patch)));
    if (versions.some((patch) => patch.source === "store")) node.append(this.#history(name, versions));
    return node;
  }

  #version(patch) {
    const state = patch.state !== "ready" ? patch.state : patch.active ? "active" : "installed";
    const facts = [
      ["Signer", patch.signer ? patch.signer.subject ?? `key ${patch.signer.key}` : "nobody"],
      ["Risk", patch.risk],
      ["Rows", patch.rows],
      ["From", patch.source === "store" ? "the store" : "a file, by --patch"],
      ["Sequence", patch.sequence],
      ["Expires", patch.expires],
      ["Licence", patch.license],
      ["Requires", patch.requires?.join(", ")],
      ["Conflicts with", patch.conflicts?.join(", ")],
      ["Digest", patch.digest],
    ].filter(([, value]) => value != null && value !== "");
    const node = element("section", { class: "version" },
      element("h3", {}, patch.version, " ",
        element("span", { class: "badge", "data-state": state }, state),
        patch.expired ? element("span", { class: "badge", "data-state": "expired" }, "expired") : null));
    for (const problem of [patch.error, ...(patch.warnings ?? [])].filter(Boolean)) {
      node.append(element("p", { class: "error" }, problem));
    }
    node.append(element("dl", {}, ...facts.flatMap(([term, value]) => [
      element("dt", {}, term),
      element("dd", { class: /[0-9a-f]{64}/.test(value) ? "digest" : null }, String(value)),
    ])));
    node.append(card(patch));
    if (patch.source === "store" && state === "installed") {
      node.append(this.#button("Activate", `Activate ${patch.name} ${patch.version}`, {
        name: patch.name,
        heading: `Activate ${patch.name} ${patch.version}?`,
        text: SOON,
        verb: "Activate",
        path: `v1/patches/${encodeURIComponent(patch.name)}/activate`,
        body: { version: patch.version },
      }));
    }
    return node;
  }

  #button(text, label, change) {
    return element("button", {
      type: "button", class: "quiet", "aria-label": label, disabled: !this.admin,
      title: this.admin ? null : "This server was started without an admin key.",
      onclick: () => this.dialog.ask(change),
    }, text);
  }

  #history(name, versions) {
    const content = element("div", {});
    const details = element("details", {
      class: "history",
      ontoggle: () => {
        this.#histories[details.open ? "add" : "delete"](name);
        if (details.open) this.#load(name, versions, content);
      },
    }, element("summary", {}, `History of ${name}`), content);
    details.open = this.#histories.has(name);
    return details;
  }

  async #load(name, versions, content) {
    let records;
    try {
      records = (await this.api.get(`v1/patches/${encodeURIComponent(name)}/history`)).data;
    } catch (error) {
      content.replaceChildren(element("p", { class: "error" }, error.message));
      return;
    }
    const active = versions.find((patch) => patch.active);
    const back = this.#button(`Roll ${name} back`, `Roll ${name} back`, {
      name,
      heading: `Roll ${name} back?`,
      text: `What was active before ${active?.version ?? "it was switched off"} becomes active again. ${SOON}`,
      verb: "Roll back",
      path: `v1/patches/${encodeURIComponent(name)}/rollback`,
      body: {},
    });
    content.replaceChildren(element("p", {}, back),
      element("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": `History of ${name}` },
        element("table", {},
          tableHead(["Time", "What", "Version", "Outcome", "Who"]),
          element("tbody", {}, ...records.toReversed().map(record)))));
  }
}

function record({ time, operation, version, outcome, detail, who }) {
  const what = detail ? `${outcome}: ${detail}` : outcome;
  return element("tr", {}, ...[time, operation, version, what, who].map((cell) =>
    element("td", {}, cell ?? "–")));
}
