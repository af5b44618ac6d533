// What stands above the columns where the default stack does not run, or nothing can be put in one.
import { element } from "./dom.js";

// Its paragraphs; none where there is nothing to say. `suggested` are the stacks worth a column.
export function notice(catalog, suggested) {
  const said = [];
  if (catalog.defaultError) {
    said.push(element("p", {}, element("b", {}, "The default stack does not run: "), catalog.defaultError));
  }
  if (suggested.length === 0) {
    said.push(element("p", {}, "There is nothing to run in a column: ", catalog.versions.size === 0
      ? "this server has no patches that you may run." : "none of its patches can run."));
  } else if (catalog.defaultError) {
    said.push(element("p", {}, "Requests that leave the patches to the server are refused. Columns say what ",
      "they run on, and are not."));
  }
  if (said.length > 0) said.push(...advice(catalog));
  return said;
}

// What to do about it, if anything.
function advice(catalog) {
  const patches = element("a", { href: "#patches" }, "Patches");
  const command = (text) => element("code", {}, `llmpatch ${text}`);
  if (catalog.versions.size === 0) {
    return [element("p", {}, "The server's operator installs one with ", command("install --activate"), ".")];
  }
  if (catalog.ready.length === 0) {
    return [element("p", {}, patches, " shows why, and can roll back to an earlier version. The server's ",
      "operator installs another one with ", command("install --activate"), ".")];
  }
  if (!catalog.lacksCurrent) return [];
  return [catalog.admin
    ? element("p", {}, "Activate a patch in ", patches, ".")
    : element("p", {}, "The server's operator activates one with ", command("activate"), "; ", patches,
      " shows what there is.")];
}
