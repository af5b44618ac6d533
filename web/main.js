// Puts the page together: views, columns, the message box, settings, and what the server has.
import { Api } from "./api.js";
import { Catalog } from "./catalog.js";
import { ChangeDialog } from "./change_dialog.js";
import { Charts } from "./charts.js";
import { Column } from "./column.js";
import { Conversation } from "./conversation.js";
import { byId } from "./dom.js";
import { Measurements } from "./measurements.js";
import { notice } from "./notice.js";
import { PatchList } from "./patches.js";
import { same, suggestions } from "./stack.js";

// A browser opens six connections to a server; two stay free for everything but answers.
const LETTERS = ["A", "B", "C", "D"];
const REFRESH = 10_000;  // ms between two looks at the server's patches

const api = new Api();
const measurements = new Measurements();
const dialog = new ChangeDialog(api, async (name) => {
  await refresh();
  byId(`patch-${name}`)?.focus();  // the button that was pressed has been drawn anew
});
const patchList = new PatchList(api, dialog);
const conversation = new Conversation(byId("turns"), {
  api, measurements, settings, model: () => catalog.model, changed: showRunning,
  announce: (text) => { byId("announcements").textContent = text; },
});
const charts = new Charts({
  api, measurements, columns: () => columns, messages: () => conversation.turns.length,
});
let catalog = null;  // null until the server has answered
let columns = [];
let chosen = false;  // whether a person has changed which columns there are, or what is in them

// What the server has now. Also while it is used: an operator may swap a patch at any time.
async function refresh() {
  let found;
  try {
    found = new Catalog(...await Promise.all([api.get("v1/models"), api.get("v1/patches")]));
  } catch (error) {
    const states = { 0: "No connection", 401: "API key needed", 429: "Busy" };
    showServerState("bad", states[error.status] ?? error.message);
    if (error.status === 401) {
      byId("api-key-note").textContent = error.message;
      byId("api-key").setAttribute("aria-invalid", "true");
      if (catalog === null) location.hash = "settings";
    }
    return;
  }
  byId("api-key-note").textContent = "Needed where the server was given keys.";
  byId("api-key").removeAttribute("aria-invalid");
  if (found.defaultError) showServerState("bad", `Default stack: ${found.defaultError}`);
  else showServerState("good", "Ready");
  if (found.content === catalog?.content) return;  // what is drawn anew closes menus
  catalog = found;
  byId("model").textContent = catalog.model;
  columns.forEach((column) => column.show(catalog));
  if (columns.length === 0 || (!chosen && conversation.turns.length === 0)) suggestColumns();
  byId("notice").replaceChildren(...notice(catalog, suggestions(catalog)));
  patchList.show(catalog);
  showColumns();
}

function showServerState(state, text) {
  byId("server-state").dataset.state = state;
  byId("server-state").textContent = text;
}

// Columns that nobody has chosen or used follow what the server now suggests.
function suggestColumns() {
  chosen = false;
  const stacks = suggestions(catalog).slice(0, 2);
  const stay = stacks.length === columns.length &&
               stacks.every((stack, i) => same(stack, columns[i].stack));
  if (stay) return;  // what is drawn anew closes menus
  columns = [];
  stacks.forEach(addColumn);
}

function addColumn(stack) {
  const letter = LETTERS.find((each) => !columns.some((column) => column.letter === each));
  const column = new Column(letter, stack, catalog, {
    change: () => {
      chosen = true;
      showColumns();
    },
    remove: () => removeColumn(column),
  });
  const next = columns.findIndex((other) => other.letter > letter);
  columns.splice(next < 0 ? columns.length : next, 0, column);
  conversation.add(column);
}

function removeColumn(column) {
  chosen = true;
  columns = columns.filter((other) => other !== column);
  conversation.remove(column);
  measurements.remove(column.letter);
  showColumns();
  byId("add-column").focus();
}

function showColumns() {
  const nodes = columns.map((column) => column.node);
  if (nodes.some((node, i) => node !== byId("columns").children[i]) ||
      nodes.length !== byId("columns").children.length) {
    byId("columns").replaceChildren(...nodes);
  }
  byId("add-column").disabled = columns.length === LETTERS.length || nextStack() === undefined;
  byId("columns-note").textContent = catalog && !catalog.allowUnpatched
    ? "This server does not run the model without patches." : "";
  showRunning();
}

// What one more column begins with: what no other has, if there is such a stack.
function nextStack() {
  if (catalog === null) return undefined;
  const fresh = suggestions(catalog).find((each) => !columns.some((column) => same(column.stack, each)));
  return fresh ?? columns.at(-1)?.stack;
}

function showRunning() {
  const focused = document.activeElement === byId("stop") || document.activeElement === byId("send");
  byId("stop").hidden = !conversation.running;
  byId("send").hidden = conversation.running;
  byId("empty").hidden = columns.length === 0 || conversation.turns.length > 0;
  byId("clear").disabled = conversation.turns.length === 0;
  byId("send").disabled = columns.length === 0;
  if (focused) byId("message").focus();
}

function settings() {
  const value = (id) => byId(id).value.trim();
  const numberOrNull = (id) => (value(id) === "" ? null : Number(value(id)));
  return {
    form: value("form"),
    systemPrompt: value("system-prompt"),
    maxTokens: numberOrNull("max-tokens"),
    temperature: numberOrNull("temperature"),
  };
}

function send() {
  const message = byId("message");
  if (conversation.running || columns.length === 0 || message.value.trim() === "") return;
  const prompt = message.value;
  message.value = "";
  conversation.send(prompt, columns).then(refresh);
}

function showView() {
  const chosen = location.hash.slice(1) || "compare";
  const view = document.querySelector(`.view[id="${CSS.escape(chosen)}"]`);
  if (!view) return;  // the skip link, or an address from elsewhere
  for (const each of document.querySelectorAll(".view")) each.hidden = each !== view;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${view.id}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const heading = view.querySelector("h1");
  document.title = `${heading.textContent} – llmpatch`;
  window.scrollTo(0, 0);
  charts.show(view.id === "measurements");
  if (view.id === "patches" && catalog) refresh();
  return heading;
}

byId("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});
byId("message").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    send();
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !byId("change").open) conversation.stop();
});
byId("stop").addEventListener("click", () => {
  conversation.stop();
  byId("message").focus();
});
byId("clear").addEventListener("click", () => {
  conversation.clear(columns);
  measurements.clear();
  showRunning();
  byId("message").focus();
});
byId("add-column").addEventListener("click", () => {
  chosen = true;
  addColumn(nextStack());
  showColumns();
});
byId("settings-form").addEventListener("submit", (event) => event.preventDefault());
byId("api-key").addEventListener("change", () => {
  api.setApiKey(byId("api-key").value);
  refresh();
});
window.addEventListener("hashchange", () => showView()?.focus());

showView();
showColumns();
await refresh();
if (!byId("compare").hidden) byId("message").focus();
setInterval(() => {
  if (!document.hidden && !conversation.running) refresh();
}, REFRESH);
