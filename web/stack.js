// A stack: which patches stand before a column's conversation, in which order, and how they are
// composed. A patch is {name, version}; version null means whatever the server has active.

export const SEQUENTIAL = "sequential";
export const PARALLEL = "parallel";
export const BASE = { patches: [], compose: SEQUENTIAL };

// As the field `patches` of a request takes them.
export const specs = (stack) =>
  stack.patches.map(({ name, version }) => (version === null ? name : `${name}@${version}`));

export const isBase = (stack) => stack.patches.length === 0;

// Whether the mode matters: one patch alone is the same in both.
export const composes = (stack) => stack.patches.length > 1;

export function same(a, b) {
  return specs(a).join("+") === specs(b).join("+") && (!composes(a) || a.compose === b.compose);
}

// In words: "base model", "refuse, then tone", "refuse beside tone".
export function describe(stack) {
  if (isBase(stack)) return "base model";
  return specs(stack).join(stack.compose === PARALLEL ? " beside " : ", then ");
}

// The stack that the header llmpatch-stack says, such as "refuse@1.0.0+tone@1.1.0;compose=parallel".
// A version may hold a '+' of its own (SemVer's build metadata): what has no '@' goes on.
export function parseHeader(header) {
  const [names, ...options] = header.split(";");
  const titles = [];
  for (const part of names === "none" ? [] : names.split("+")) {
    if (part.includes("@")) titles.push(part);
    else titles.push(`${titles.pop()}+${part}`);
  }
  return {
    patches: titles.map(parseTitle),
    compose: options.includes("compose=parallel") ? PARALLEL : SEQUENTIAL,
  };
}

// The entry that "refuse@1.0.0" names.
export function parseTitle(title) {
  const at = title.indexOf("@");
  return { name: title.slice(0, at), version: title.slice(at + 1) };
}

// The stacks worth a look on this server, the most telling first: without patches (where that is
// allowed), the default, its other order, beside each other, each patch alone. None where nothing can
// run.
export function suggestions(catalog) {
  const { patches, compose } = catalog.defaultStack;
  const stacks = catalog.allowUnpatched ? [BASE] : [];
  if (patches.length > 0) stacks.push({ patches, compose });
  if (patches.length > 1) {
    stacks.push({ patches: patches.toReversed(), compose: SEQUENTIAL }, { patches, compose: PARALLEL });
  }
  for (const name of catalog.ready) stacks.push({ patches: [catalog.entry(name)], compose: SEQUENTIAL });
  return stacks.filter((stack, i) => stacks.findIndex((other) => same(stack, other)) === i);
}
