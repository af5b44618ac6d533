// What the server has, from GET /v1/models and GET /v1/patches.
import { SEQUENTIAL, parseTitle } from "./stack.js";

const isReady = (patch) => patch?.state === "ready";

export class Catalog {
  // `models` and `patches` are the bodies of those answers.
  constructor(models, patches) {
    this.content = JSON.stringify([models, patches]);  // equal where nothing has changed
    this.model = models.data[0].id;
    this.allowUnpatched = patches.allow_unpatched;
    this.admin = patches.admin;
    // Name -> its versions as the server lists them.
    this.versions = new Map();
    for (const patch of patches.data) {
      if (!this.versions.has(patch.name)) this.versions.set(patch.name, []);
      this.versions.get(patch.name).push(patch);
    }
    // Why requests that name no patches do not run, or null.
    this.defaultError = patches.default.error ?? null;
    // The stack that they run on; without patches where they do not run.
    this.defaultStack = {
      patches: (patches.default.patches ?? []).map((title) => this.#follow(parseTitle(title))),
      compose: patches.default.compose ?? SEQUENTIAL,
    };
  }

  // What a bare name stands for, or undefined.
  current(name) {
    return this.versions.get(name)?.find((patch) => patch.active);
  }

  // The patch that an entry of a stack stands for, or undefined.
  resolve({ name, version }) {
    return version === null
      ? this.current(name)
      : this.versions.get(name)?.find((patch) => patch.version === version);
  }

  // Names of which a version can run.
  get ready() {
    return [...this.versions.keys()].filter((name) => this.versions.get(name).some(isReady));
  }

  // Whether a name has no current version that can run.
  get lacksCurrent() {
    return [...this.versions.keys()].some((name) => !isReady(this.current(name)));
  }

  // The entry of a name in `versions` that is worth running: its current version, or the first one
  // that can run where that cannot. Where none can, its current version, or else the first.
  entry(name) {
    const current = this.current(name);
    const versions = this.versions.get(name);
    return this.#follow([current, ...versions].find(isReady) ?? current ?? versions[0]);
  }

  // The entry of a version: that of the bare name while it stands for that version.
  #follow({ name, version }) {
    return { name, version: this.current(name)?.version === version ? null : version };
  }
}
