// Bundles the tests for WebGPU stacks other than Dawn in Node: each test file unchanged, with replacements for vitest
// and for device creation. A test file is left out if its imports reach Node's modules or packages.
import { readdirSync, readFileSync } from "node:fs";
import { relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";
import { wgsl } from "../../tools/build/vite_wgsl.mjs";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const at = (path) => `${ROOT}${path}`;
const pathOf = (id) => relative(ROOT, id).split(sep).join("/");

const REPLACED = {
  [at("src/node/device.ts")]: at("src/browser/device.ts"),
};

/** Packages that are made for Node. */
const PACKAGES = [
  ...Object.keys(JSON.parse(readFileSync(at("package.json"), "utf8")).dependencies),
  "onnxruntime-node",
  "playwright-core",
  "vite",
];
const isNodes = (source) => source.startsWith("node:") || PACKAGES.includes(source);

/**
 * Writes the bundle into a folder.
 * @param folder destination
 * @param words only test files whose path contains one of these; all if there are none
 * @returns the names of the bundle's files by test file, and the reason for each test file that was left out
 */
export async function bundleTests(folder, words) {
  const tests = readdirSync(at("test"), { recursive: true })
    .map((path) => `test/${path.split(sep).join("/")}`)
    .filter((path) => path.endsWith(".test.ts") && (words.length === 0 || words.some((word) => path.includes(word))))
    .sort();
  if (tests.length === 0) throw new Error(`no test file's path contains ${words.join(" or ")}`);
  const entries = Object.fromEntries(tests.map((path) => [path.replaceAll("/", "_"), at(path)]));
  const files = {};
  const refused = {};
  await build({
    root: ROOT,
    configFile: false,
    logLevel: "error",
    plugins: [
      wgsl(),
      replacements(),
      {
        name: "test-files",
        generateBundle(_options, bundle) {
          const chunks = Object.values(bundle).filter(({ type, isEntry }) => type === "chunk" && isEntry);
          for (const path of tests) {
            const reason = wayToNode(at(path), (id) => this.getModuleInfo(id));
            if (reason) refused[path] = reason;
            else files[path] = chunks.find(({ facadeModuleId }) => facadeModuleId === at(path)).fileName;
          }
        },
      },
    ],
    build: {
      target: "es2022", // as the library's own build
      outDir: folder,
      minify: false,
      lib: {
        entry: { run: at("test/stacks/run.ts"), deno: at("test/stacks/deno.ts"), ...entries },
        formats: ["es"],
      },
      rolldownOptions: {
        output: { entryFileNames: "[name].js", chunkFileNames: "[name]-[hash].js" },
        external: isNodes,
        shimMissingExports: true, // files that run only in Node may use more of vitest
      },
    },
  });
  return { files, refused };
}

function replacements() {
  return {
    name: "replacements",
    enforce: "pre",
    async resolveId(source, importer) {
      if (source === "vitest") return at("test/stacks/vitest.ts");
      if (!source.startsWith(".")) return null;
      const resolved = await this.resolve(source, importer, { skipSelf: true });
      return REPLACED[resolved?.id] ?? null;
    },
  };
}

/** The chain of imports from a module to a module of Node, or null. */
function wayToNode(id, infoOf, seen = new Set()) {
  if (seen.has(id)) return null;
  seen.add(id);
  const info = infoOf(id);
  for (const target of [...info.importedIds, ...info.dynamicallyImportedIds]) {
    if (isNodes(target)) return `${pathOf(id)} imports ${target}`;
  }
  for (const target of [...info.importedIds, ...info.dynamicallyImportedIds]) {
    const way = wayToNode(target, infoOf, seen);
    if (way) return way;
  }
  return null;
}
