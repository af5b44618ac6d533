// A column's head: its letter, what stands before its conversation, and the switches that change it.
import { element } from "./dom.js";
import { PARALLEL, SEQUENTIAL, composes, describe, isBase } from "./stack.js";
import { strip } from "./strip.js";

export class Column {
  // `on` is {change(), remove()}, called after the person changed the stack or wants the column gone.
  constructor(letter, stack, catalog, on) {
    this.letter = letter;
    this.stack = stack;
    this.turns = [];  // what this column has answered so far: {prompt, answer}
    this.on = on;
    this.open = false;
    this.node = element("section", { class: "column", "data-letter": letter });
    this.show(catalog);
  }

  // What it is called where there is only a line: "A, base model".
  get title() {
    return `${this.letter}, ${describe(this.stack)}`;
  }

  // Draws it anew, as the server now is. The focus stays on the control it was on.
  show(catalog) {
    this.catalog = catalog;
    const focused = this.node.contains(document.activeElement) && document.activeElement.dataset.control;
    const id = `column-${this.letter}`;
    this.node.setAttribute("aria-labelledby", id);
    this.node.dataset.base = isBase(this.stack);
    this.node.replaceChildren(
      element("div", { class: "column-title" },
        element("span", { class: "letter", "aria-hidden": "true" }, this.letter),
        element("h2", { id }, element("span", { class: "unseen" }, `Column ${this.letter}: `), this.#name()),
        element("button", {
          type: "button", class: "icon", "aria-label": `Remove column ${this.letter}`,
          "data-control": "remove",
          onclick: () => this.on.remove(),
        }, "×")),
      strip(this.stack, catalog),
      this.#controls());
    if (focused) this.node.querySelector(`[data-control="${CSS.escape(focused)}"]:not(:disabled)`)?.focus();
  }

  #name() {
    if (isBase(this.stack)) return "Base model";
    return this.stack.patches.map(({ name }) => name)
      .join(this.stack.compose === PARALLEL ? " beside " : ", then ");
  }

  #change(patches, compose = this.stack.compose) {
    this.stack = { patches, compose };
    this.show(this.catalog);
    this.on.change();
  }

  #controls() {
    const { patches } = this.stack;
    const on = new Set(patches.map(({ name }) => name));
    const off = [...this.catalog.versions.keys()].filter((name) => !on.has(name));
    const details = element("details", { ontoggle: () => { this.open = details.open; } },
      element("summary", { "data-control": "summary" }, "Patches of this column"),
      element("ul", { class: "switches", "aria-label": `Patches of column ${this.letter}` },
        ...patches.map((entry, i) => this.#switch(entry, i)),
        ...off.map((name) => this.#switch(this.catalog.entry(name), -1))),
      this.#modes());
    if (on.size + off.length === 0) {
      details.append(element("p", { class: "muted" }, "This server has no patches."));
    }
    details.open = this.open;
    return details;
  }

  // A patch that is on at `index`, or off (-1).
  #switch(entry, index) {
    const { name } = entry;
    const { patches } = this.stack;
    const others = patches.filter((other) => other.name !== name);
    const toggle = element("input", {
      type: "checkbox", role: "switch", "data-control": `switch ${name}`, checked: index >= 0,
      onchange: () => this.#change(index >= 0 ? others : [...patches, entry]),
    });
    const item = element("li", {}, element("label", {}, toggle, name));
    if (index < 0) return item;

    const versions = this.catalog.versions.get(name) ?? [];
    const fine = element("div", { class: "fine" }, element("select", {
      "aria-label": `Version of ${name}`, "data-control": `version ${name}`,
      onchange: (event) => {
        const version = event.target.value || null;
        this.#change(patches.map((other) => (other.name === name ? { name, version } : other)));
      },
    }, ...this.#versions(entry, versions)));
    if (composes(this.stack) && this.stack.compose === SEQUENTIAL) {
      fine.append(this.#move(name, index, -1, "↑", "earlier"), this.#move(name, index, 1, "↓", "later"));
    }
    item.append(fine);
    return item;
  }

  #versions({ name, version }, versions) {
    const current = this.catalog.current(name);
    const options = versions.map((patch) =>
      element("option", { value: patch.version, selected: patch.version === version }, patch.version));
    if (current || version === null) {
      options.unshift(element("option", { value: "", selected: version === null },
        current ? `active (${current.version})` : "active (none)"));
    }
    if (version !== null && !versions.some((patch) => patch.version === version)) {
      options.push(element("option", { value: version, selected: true }, `${version} (gone)`));
    }
    return options;
  }

  #move(name, index, by, sign, word) {
    const to = index + by;
    return element("button", {
      type: "button", class: "icon", "aria-label": `Move ${name} ${word}`, "data-control": `${word} ${name}`,
      disabled: to < 0 || to >= this.stack.patches.length,
      onclick: () => {
        const moved = [...this.stack.patches];
        [moved[index], moved[to]] = [moved[to], moved[index]];
        this.#change(moved);
      },
    }, sign);
  }

  #modes() {
    const mode = (value, text) => element("label", {},
      element("input", {
        type: "radio", name: `compose-${this.letter}`, "data-control": value, value,
        checked: this.stack.compose === value, disabled: !composes(this.stack),
        onchange: () => this.#change(this.stack.patches, value),
      }), text);
    return element("fieldset", { class: "modes" }, element("legend", {}, "Composed"),
      mode(SEQUENTIAL, "one after the other"), mode(PARALLEL, "side by side"));
  }
}
