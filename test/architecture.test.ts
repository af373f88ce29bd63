import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { VERSION } from "../src/runtime/version.ts";
import { ENTRIES, ERRORS, filesBelow, importsOf, resolved, sourcesBelow } from "./harness/imports.ts";

// Which folders of src a folder may import from, besides itself and runtime/errors.ts, which everybody may.
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  runtime: ["shaders/prelude"],
  tensor: ["runtime"],
  linalg: [],
  kernels: ["shaders", "io", "runtime", "tensor"],
  autograd: ["tensor", "runtime"],
  ops: ["kernels", "autograd", "io", "tensor", "runtime"],
  nn: ["ops", "tensor", "runtime"],
  optim: ["kernels", "tensor", "runtime"],
  backbones: ["ops", "io", "tensor", "runtime"],
  methods: ["backbones", "nn", "ops", "optim", "io", "linalg", "tensor", "runtime"],
  detection: ["methods", "backbones", "nn", "ops", "optim", "io", "data", "metrics", "linalg", "tensor", "runtime"],
  io: ["tensor"],
  data: ["io", "tensor"],
  metrics: ["tensor"],
  onnx: ["detection", "methods", "backbones", "kernels", "autograd", "io", "tensor", "runtime"],
  node: ["detection", "methods", "backbones", "io", "data", "metrics", "tensor", "runtime"],
  browser: ["onnx", "detection", "methods", "backbones", "io", "data", "metrics", "tensor", "runtime"],
  cli: ["node", "onnx", "detection", "methods", "backbones", "io", "data", "metrics", "tensor", "runtime"],
};
const OUTSIDE_CORE = ["node", "browser", "cli"];
// of a folder that runs anywhere: built in
const PACKAGES: Readonly<Record<string, readonly string[]>> = { onnx: ["@bufbuild/protobuf/wire"] };

/** Returns the folder below src/methods that a file is in; undefined for other files. */
const methodOf = (path: string): string | undefined => /^src\/methods\/(\w+)\//.exec(path)?.[1];

/** Every breach of the rules above in files given as path -> source; paths begin with "src/". */
function breaches(files: Readonly<Record<string, string>>): string[] {
  return Object.entries(files).flatMap(([path, source]) => {
    const folder = path.split("/")[1]!;
    const isEntry = ENTRIES.includes(path);
    const found = importsOf(source).flatMap((target) => {
      const local = target.startsWith(".");
      const at = local ? resolved(path, target) : target;
      const place = at.startsWith("src/") ? at.split("/")[1]! : at;
      if (!local)
        return OUTSIDE_CORE.includes(folder) || PACKAGES[folder]?.includes(target)
          ? []
          : [`${path} imports the package ${target}`];
      if (at.endsWith("/index.ts") && !isEntry) return [`${path} imports ${target}`];
      const [own, other] = [methodOf(path), methodOf(at)];
      if (own && other && other !== own && other !== "parts") return [`${path} imports ${target}`];
      if (isEntry || place === folder || at === ERRORS) return [];
      return MAY_IMPORT[folder]?.some((allowed) => place === allowed || at.startsWith(`${allowed}/`))
        ? []
        : [`${path} imports ${target}`];
    });
    if (
      folder !== "browser" &&
      folder !== "cli" &&
      /\b(window|navigator|document)\.(?!gpu\.lost)/.test(withoutComments(source))
    )
      found.push(`${path} names the browser`);
    if (["backbones", "methods", "detection"].includes(folder) && /GPUBuffer|@compute/.test(source))
      found.push(`${path} names GPU resources`);
    return found;
  });
}

const withoutComments = (source: string): string => source.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, "");

const sources = sourcesBelow("src");

/**
 * Rings of files that import one another, whether values or only types; each as a path that comes back to its first
 * file.
 */
function cycles(files: Readonly<Record<string, string>>): string[] {
  const found: string[] = [];
  const walk: string[] = []; // the files being visited, each imported by the one before it
  const seen = new Set<string>();
  const visit = (path: string): void => {
    const at = walk.indexOf(path);
    if (at >= 0) found.push([...walk.slice(at), path].join(" -> "));
    if (at >= 0 || seen.has(path)) return;
    seen.add(path);
    walk.push(path);
    const targets = importsOf(files[path]!).map((target) => resolved(path, target));
    for (const target of targets.filter((target) => target in files)) visit(target);
    walk.pop();
  };
  Object.keys(files).forEach(visit);
  return found;
}

test("folders import only what lies below them", () => {
  expect(Object.keys(sources).length).toBeGreaterThan(40);
  expect(breaches(sources)).toEqual([]);
});

test("a planted breach of each rule is found", () => {
  const planted = {
    "src/kernels/a.ts": 'import { x } from "../ops/a.ts";',
    "src/tensor/b.ts": 'import { y } from "sharp";',
    "src/ops/c.ts": 'import { z } from "../index.ts";',
    "src/methods/d.ts": "let buffer: GPUBuffer;",
    "src/io/e.ts": "window.alert(1);",
    "src/ops/f.ts": 'import module from "../../shaders/f.wgsl";',
    "src/methods/one/h.ts": 'import { two } from "../two/model.ts";',
    "src/methods/parts/i.ts": 'import { one } from "../one/model.ts";',
    "src/backbones/j.ts": 'import { method } from "../methods/method.ts";',
    "src/methods/k.ts": 'import { Detector } from "../detection/detector.ts";',
    "src/methods/one/index.ts": 'export { Detector } from "../../detection/detector.ts";',
    "src/methods/two/index.ts": 'export { one } from "../one/index.ts";',
    "src/nn/index.ts": 'export { device } from "../node/device.ts";',
    "src/data/g.ts": 'import { readFile } from "node:fs/promises";',
  };
  expect(breaches(planted)).toHaveLength(Object.keys(planted).length);
  const allowed = {
    "src/methods/one/index.ts": 'export { One } from "./model.ts";\nexport { hingeLoss } from "../../ops/losses.ts";',
    "src/node/index.ts": 'export * from "../index.ts";',
    "src/index.ts": 'export { Detector } from "./detection/detector.ts";',
  };
  expect(breaches(allowed)).toEqual([]);
});

test("the core does not reach what it must not depend on", () => {
  const reached = new Set(["src/index.ts"]);
  for (const path of reached) {
    for (const target of importsOf(sources[path]!).filter((target) => target.startsWith(".") && target.endsWith(".ts")))
      reached.add(resolved(path, target));
  }
  expect(reached.size).toBeGreaterThan(40);
  expect(
    [...reached].filter((path) => [...OUTSIDE_CORE, ...Object.keys(PACKAGES)].includes(path.split("/")[1]!)),
  ).toEqual([]);
});

test("no files import one another in a ring, type imports included", () => {
  const files = Object.assign(
    {},
    ...["src", "bench", "test", "examples/playground", "tools/pictures"].map(sourcesBelow),
  ) as Record<string, string>;
  expect(Object.keys(files).length).toBeGreaterThan(400);
  expect(cycles(files)).toEqual([]);
});

test("a planted ring is found, of values, types, re-exports and lazy imports alike", () => {
  const planted = {
    "src/a.ts": 'import { b } from "./x/b.ts";',
    "src/x/b.ts": 'import type { C } from "../c.ts";',
    "src/c.ts": 'export * from "./d.ts";',
    "src/d.ts": 'const a = await import("./a.ts");',
    "src/e.ts": 'import { b } from "./x/b.ts";\nimport { e } from "./e.ts";',
  };
  expect(cycles(planted)).toEqual([
    "src/a.ts -> src/x/b.ts -> src/c.ts -> src/d.ts -> src/a.ts",
    "src/e.ts -> src/e.ts",
  ]);
});

const flagsIn = (source: string): string[] => source.match(/(?<=[\s"'`(])--[a-z][a-z-]*/g) ?? [];

test("the library's text names no flag of the command line", () => {
  const found = Object.entries(sources).filter(([path]) => !path.startsWith("src/cli/"));
  expect(found.length).toBeGreaterThan(80);
  expect(found.flatMap(([path, source]) => flagsIn(source).map((flag) => `${path}: ${flag}`))).toEqual([]);
  expect(flagsIn('throw new Error("use --seed, or (--batch-size)"); at[--i]')).toEqual(["--seed", "--batch-size"]);
});

const MOST_LINES = 350;

test("no source file is long", () => {
  const lines = filesBelow("src").map((path) => [path, readFileSync(path, "utf8").split("\n").length - 1] as const);
  expect(lines.filter(([, count]) => count > MOST_LINES)).toEqual([]);
});

// What belongs to one method alone, and where the same word means something else, or an operation is named that anybody
// may use.
const PARTS_OF_GRAD = /hinge|paste|branch|residual|abnormal|decoder|\bjoins\b/i;
const MAY_NAME: Readonly<Record<string, RegExp>> = {
  "src/backbones/resnet.ts": /branch|residual/i, // a block of the network
  "src/methods/dfr/autoencoder.ts": /decoder/, // of an autoencoder
  "src/methods/dfr/model.ts": /residual/i, // of principal components
  "src/nn/layers.ts": /residual/i, // of a network's block
  "src/nn/index.ts": /residual/i,
  "src/methods/simplenet/loss.ts": /hingeLoss/, // an operation
  "src/methods/uniad/config.ts": /decoder/, // of a transformer
  "src/methods/uniad/options.ts": /decoder/,
  "src/methods/uniad/transformer.ts": /decoders?(Layer)?/i,
  // GRAD and CRAD share decoders of what their grids hold
  "src/methods/parts/decoders.ts": /decoder|residual/i,
  "src/methods/parts/grid_memory.ts": /decoder/i,
  "src/methods/parts/grid_options.ts": /decoder/i,
  "src/methods/crad/config.ts": /decoder/,
  "src/methods/crad/model.ts": /decoder/,
  "src/methods/crad/options.ts": /decoder/,
  "src/data/names.ts": /abnormal/i, // a folder of defective images
  "src/io/safetensors.ts": /TextDecoder/, // of UTF-8
  "src/cli/predict/name_list.ts": /TextDecoder/,
  "src/data/tree.ts": /decoder/, // of image files
  "src/node/images.ts": /decoder/,
  "src/browser/images.ts": /decoders/,
  "src/cli/isa/listing.ts": /branch/, // an instruction
  "src/cli/isa/loops.ts": /branch/,
  "src/cli/launcher.ts": /DECODERS/, // threads that decode images
};

/**
 * Lines outside a method's folder that name its parts; operations, kernels and what lies below them name what they
 * compute.
 */
const namesOfParts = (files: Readonly<Record<string, string>>): string[] =>
  Object.entries(files).flatMap(([path, source]) => {
    if (
      !/^src\/(backbones|browser|cli|data|detection|io|methods|metrics|nn|node|onnx|optim)\//.test(path) ||
      path.startsWith("src/methods/grad/")
    )
      return [];
    const allowed = new RegExp(MAY_NAME[path] ?? /(?!)/, "gi");
    return source
      .split("\n")
      .filter((line) => PARTS_OF_GRAD.test(line.replace(allowed, "")))
      .map((line) => `${path}: ${line.trim()}`);
  });

test("nothing outside the method GRAD names its parts", () => {
  expect(namesOfParts(sources)).toEqual([]);
  expect(
    namesOfParts({
      "src/detection/a.ts": "const hingeWeight = 1;\nconst x = 1;",
      "src/onnx/d.ts": 'const remedy = "a smaller decoder";',
      "src/io/safetensors.ts": "new TextDecoder(); decoder();",
      "src/methods/grad/b.ts": "paste",
      "src/ops/c.ts": "hinge",
    }),
  ).toEqual([
    "src/detection/a.ts: const hingeWeight = 1;",
    'src/onnx/d.ts: const remedy = "a smaller decoder";',
    "src/io/safetensors.ts: new TextDecoder(); decoder();",
  ]);
});

test("the version is the package's", () => {
  expect(VERSION).toBe((JSON.parse(readFileSync("package.json", "utf8")) as { version: string }).version);
});

test("every shader has a launcher", () => {
  const launchers = Object.entries(sources)
    .filter(([path]) => path.startsWith("src/kernels/"))
    .map(([, source]) => source)
    .join("\n");
  for (const file of readdirSync("shaders").filter((name) => name.endsWith(".wgsl")))
    expect(launchers).toContain(`shaders/${file}"`);
});
