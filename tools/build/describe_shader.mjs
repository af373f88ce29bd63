// Documentation in a shader's comments, for the kernel page and the kernel explorer.

/** The comment directly above a line of code, without its slashes, as one paragraph. */
function commentAbove(lines, at) {
  let first = at;
  while (first > 0 && lines[first - 1].startsWith("//")) first--;
  return lines
    .slice(first, at)
    .map((line) => line.replace(/^\/\/ ?/, ""))
    .join(" ");
}

/** The overrides that a text declares. */
const overridesOf = (code) =>
  code.split("\n").flatMap((line, at, lines) => {
    const [, name, type, value] = /^override (\w+): (\w+) = ([^;]+);/.exec(line) ?? [];
    return name === undefined ? [] : [{ name, type, value, meaning: commentAbove(lines, at) }];
  });

/** Names that preludes declare at module scope, each with the text of its declaration. */
const declarationsOf = (preludes) =>
  new Map(
    preludes
      .flatMap((code) => code.split(/^(?=(?:override|fn|const|struct|alias|var)\b)/m))
      .map((text) => [/^\w+(?:<[^>]*>)? (\w+)/.exec(text)?.[1], text]),
  );

/** Names of preludes that a shader uses, itself or through others. */
function namesUsedBy(code, preludes) {
  const declarations = declarationsOf(preludes);
  const used = new Set();
  const follow = (text) => {
    for (const [name] of text.replace(/\/\/.*/g, "").matchAll(/\b[A-Za-z]\w*/g)) {
      if (!declarations.has(name) || used.has(name)) continue;
      used.add(name);
      follow(declarations.get(name));
    }
  };
  follow(code);
  return used;
}

/**
 * Extracts a shader's documentation from its text.
 * @param preludes texts that stand before it: those of their overrides are listed too that it uses
 */
export function describeShader(code, preludes = []) {
  const lines = code.split("\n");
  const end = lines.findIndex((line) => !line.startsWith("//"));
  const header = lines.slice(0, end).map((line) => line.replace(/^\/\/ ?/, ""));
  const used = namesUsedBy(code, preludes);
  const overrides = [...overridesOf(code), ...preludes.flatMap(overridesOf).filter(({ name }) => used.has(name))];
  const entryPoints = [];
  lines.forEach((line, at) => {
    if (!line.startsWith("@compute")) return;
    const name = /fn (\w+)/.exec(lines.slice(at, at + 2).join(" "))?.[1];
    entryPoints.push({ name, meaning: commentAbove(lines, at) });
  });
  return { header, overrides, entryPoints };
}
