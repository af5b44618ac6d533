// Elements without markup: whatever comes from outside is put in as text.

// A new element. A function among the attributes listens to the event it is named after ("onclick"),
// `true` is an attribute without a value, `false` and null are none. Children are elements or text.
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child != null));
  return made;
}

// The head of a table, a column for each text.
export const tableHead = (texts) =>
  element("thead", {}, element("tr", {}, ...texts.map((text) => element("th", { scope: "col" }, text))));

export const byId = (id) => document.getElementById(id);
