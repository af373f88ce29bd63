// Vite plugin: `import gridSample from "../grid_sample.wgsl"` yields the source text with its interface as read by
// wgsl_reflect. Reflection takes about 20 ms per file and its library 43 kB gzipped; at build time neither reaches the
// user, and a file that does not parse fails the build.
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { ResourceType, WgslReflect } from "wgsl_reflect/wgsl_reflect.module.js";
import { withoutMatrices } from "./without_matrices.mjs";

/** @param minify true to drop comments and spaces, for files that are shipped */
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

// Spaces between a word and a sign. A space between two signs may separate tokens.
const SPACES = /(?<=[\w)\]]) (?=[-+*/%=<>&|!,;:{}(?])|(?<=[-+*/%=<>&|!,;:{}(?]) (?=[\w(])/g;

/**
 * WGSL without comments, empty lines and redundant spaces; line breaks stay, so that compiler messages have useful
 * positions.
 */
export function minified(code) {
  let depth = 0; // nesting depth of block comments
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
