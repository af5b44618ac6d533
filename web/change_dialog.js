// Asks for the admin key and makes one change of the store. The key lives in this module alone, until
// the tab is closed or loaded again.
import { byId } from "./dom.js";

export class ChangeDialog {
  #key = "";
  #change = null;

  // `done(name)` is called after a change of that patch was made.
  constructor(api, done) {
    this.api = api;
    this.done = done;
    this.dialog = byId("change");
    byId("change-cancel").addEventListener("click", () => this.dialog.close());
    byId("change-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#confirm();
    });
    this.dialog.addEventListener("close", () => {
      byId("admin-key").value = "";
      this.#change = null;
    });
  }

  // `change` is {name, heading, text, verb, path, body}.
  ask(change) {
    this.#change = change;
    byId("change-heading").textContent = change.heading;
    byId("change-text").textContent = change.text;
    byId("change-confirm").textContent = change.verb;
    byId("change-error").hidden = true;
    byId("admin-key").value = this.#key;
    this.dialog.showModal();
    byId(this.#key === "" ? "admin-key" : "change-confirm").focus();
  }

  async #confirm() {
    const change = this.#change;
    const key = byId("admin-key").value;
    const button = byId("change-confirm");
    button.disabled = true;
    try {
      await this.api.change(change.path, change.body, key);
      this.#key = key;
      this.dialog.close();
      this.done(change.name);
    } catch (error) {
      if (error.status === 401 || error.code === "invalid_admin_key") this.#key = "";
      byId("change-error").textContent = error.message;
      byId("change-error").hidden = false;
    } finally {
      button.disabled = false;
    }
  }
}
