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

/** Extracts a shader's documentation from its text. */
export function describeShader(code) {
  const lines = code.split("\n");
  const end = lines.findIndex((line) => !line.startsWith("//"));
  const header = lines.slice(0, end).map((line) => line.replace(/^\/\/ ?/, ""));
  const overrides = [];
  const entryPoints = [];
  lines.forEach((line, at) => {
    const override = /^override (\w+): (\w+) = ([^;]+);/.exec(line);
    if (override)
      overrides.push({ name: override[1], type: override[2], value: override[3], meaning: commentAbove(lines, at) });
    if (!line.startsWith("@compute")) return;
    const name = /fn (\w+)/.exec(lines.slice(at, at + 2).join(" "))?.[1];
    entryPoints.push({ name, meaning: commentAbove(lines, at) });
  });
  return { header, overrides, entryPoints };
}
