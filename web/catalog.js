// What the server has, from GET /v1/models and GET /v1/patches.

export class Catalog {
  // `models` and `patches` are the bodies of those answers.
  constructor(models, patches) {
    this.content = JSON.stringify([models, patches]);  // equal where nothing has changed
    this.model = models.data[0].id;
    this.allowUnpatched = patches.allow_unpatched;
    this.admin = patches.admin;
    this.defaultError = patches.default.error ?? null;
    // The patches of the default stack, by name@version, and how they are composed.
    this.defaultPatches = patches.default.patches;
    this.defaultCompose = patches.default.compose;
    // Name -> its versions as the server lists them.
    this.versions = new Map();
    for (const patch of patches.data) {
      if (!this.versions.has(patch.name)) this.versions.set(patch.name, []);
      this.versions.get(patch.name).push(patch);
    }
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

  // The entry that means the current version of `name`, or its first one where none is current.
  entry(name) {
    return { name, version: this.current(name) ? null : this.versions.get(name)[0].version };
  }
}
