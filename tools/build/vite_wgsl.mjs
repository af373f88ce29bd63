// Vite plugin: `import gridSample from "../grid_sample.wgsl"` yields the source text together with what
// wgsl_reflect reads from it. Reflection costs ~20 ms a file and its library 43 kB gzipped; done here,
// neither reaches the user, and a file that does not parse fails the build.
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { ResourceType, WgslReflect } from "wgsl_reflect/wgsl_reflect.module.js";
import { withoutMatrices } from "./without_matrices.mjs";

/** @param minify whether comments and spaces stay behind: for files that travel */
export function wgsl({ minify = false } = {}) {
  return {
    name: "wgsl",
    enforce: "pre",
    async load(id) {
      if (!id.endsWith(".wgsl")) return null;
      const code = await readFile(id, "utf8");
      return `export default ${JSON.stringify({ name: basename(id, ".wgsl"), code: minify ? minified(code) : code, ...reflect(code) })};`;
    },
  };
}

// Between a word and a sign. Between two signs a space may part what would be one.
const SPACES = /(?<=[\w)\]]) (?=[-+*/%=<>&|!,;:{}(?])|(?<=[-+*/%=<>&|!,;:{}(?]) (?=[\w(])/g;

/**
 * WGSL without comments, empty lines, and spaces that part nothing; lines stay lines, so that a compiler's messages
 * still point somewhere.
 */
export function minified(code) {
  let depth = 0; // of block comments, which nest
  const bare = code.replace(/\/\*|\*\/|\/\/[^\n]*|[^/*]+|[/*]/g, (token) => {
    if (token === "/*") depth++;
    else if (token === "*/" && depth > 0) return (depth--, depth === 0 ? " " : "");
    else if (depth === 0) return token.startsWith("//") ? "" : token;
    return "";
  });
  return bare
    .split("\n")
    .map((line) => line.trim().replace(SPACES, ""))
    .filter(Boolean)
    .join("\n");
}

export function reflect(code) {
  const { entry, overrides, uniforms } = new WgslReflect(withoutMatrices(code));
  const bindingsOf = (f) =>
    f.resources
      .filter((r) => r.resourceType === ResourceType.Storage)
      .map((r) => ({ name: r.name, binding: r.binding, access: r.access }));
  return {
    entryPoints: Object.fromEntries(
      entry.compute.map((f) => [f.name, bindingsOf(f).sort((a, b) => a.binding - b.binding)]),
    ),
    params: uniforms
      .flatMap((u) => u.members ?? [])
      .map((m) => ({ name: m.name, offset: m.offset, type: m.type.name })),
    overrides: overrides.map((o) => o.name),
  };
}
