// Vite plugin: `import gridSample from "../grid_sample.wgsl"` yields the source text with its interface as read by
// wgsl_reflect. Reflection takes about 20 ms per file and its library 43 kB gzipped; at build time neither reaches the
// user, and a file that does not parse fails the build.
import { readdir, readFile } from "node:fs/promises";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { ResourceType, WgslReflect } from "wgsl_reflect/wgsl_reflect.module.js";
import { minified, shortNamesOf } from "./minify_wgsl.mjs";
import { withoutMatrices } from "./without_matrices.mjs";

const SHADERS = fileURLToPath(new URL("../../shaders/", import.meta.url));
const DEFINE_KERNEL = fileURLToPath(new URL("../../src/runtime/define_kernel.ts", import.meta.url));

async function textsBelow(folder) {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".wgsl")).sort();
  return Promise.all(names.map((name) => readFile(`${folder}/${name}`, "utf8")));
}

const CONTINUED = "tiled_product.wgsl"; // stands before another file, as a prelude does: src/kernels/products/subgroup.ts

/** The names that minified shaders share: see `shortNamesOf`. */
export const shaderNames = async () =>
  shortNamesOf(
    [...(await textsBelow(SHADERS)), ...(await textsBelow(`${SHADERS}/bench`))],
    [...(await textsBelow(`${SHADERS}/prelude`)), await readFile(`${SHADERS}/${CONTINUED}`, "utf8")],
  );

/**
 * @param minify true for files that are shipped: shaders are minified, and their interface is read at run time, which
 *   takes 4 kB less than to ship it (gzipped, all shaders)
 */
export function wgsl({ minify = false } = {}) {
  let names;
  return {
    name: "wgsl",
    enforce: "pre",
    async load(id) {
      if (!id.endsWith(".wgsl")) return null;
      const code = await readFile(id, "utf8");
      const [name, { entryPoints, params, overrides }] = [basename(id, ".wgsl"), reflect(code)];
      if (!minify) return `export default ${JSON.stringify({ name, code, entryPoints, params, overrides })};`;
      const short = minified(code, await (names ??= shaderNames()));
      const [file, ...values] = [DEFINE_KERNEL, name, short].map((value) => JSON.stringify(value));
      return `import { lazyModule } from ${file};\nexport default /* @__PURE__ */ lazyModule(${values.join(", ")});`;
    },
  };
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
