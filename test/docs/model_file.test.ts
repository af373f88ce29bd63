// The model file's page against files of each method: every key that it documents, and no other, is in them.
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { synthesise } from "../../src/data/synthetic.ts";
import { trainDetector } from "../../src/detection/train_detector.ts";
import type { TrainingImage } from "../../src/detection/views.ts";
import { encodeDetector, withMetrics } from "../../src/detection/model_file.ts";
import type { TrainingOptions } from "../../src/detection/training_options.ts";
import { decodeSafetensors, type SafetensorsFile } from "../../src/io/safetensors.ts";
import { GRAD_OPTIONS } from "../../src/methods/grad/options.ts";
import { METHOD_NAMES } from "../../src/methods/registry.ts";
import { briefOptions } from "../../src/runtime/option_table.ts";
import { device } from "../harness/device.ts";
import { temporaryFolder } from "../harness/temporary.ts";

const SIZE = 64;
const GRAD = {
  ...briefOptions(GRAD_OPTIONS),
  method: "grad",
  decoder: "mobile",
  blocks: 1,
  inputSize: SIZE,
  batch: 4,
} as const;
/** Trainings of each method whose files have all keys together; the first is the default. */
const OPTIONS: Readonly<Record<(typeof METHOD_NAMES)[number], readonly TrainingOptions[]>> = {
  grad: [GRAD, { ...GRAD, form: "joined" }],
  dfr: [{ method: "dfr", inputSize: SIZE, epochs: 1, leastSteps: 4 }],
  padim: [
    { method: "padim", inputSize: SIZE },
    { method: "padim", inputSize: SIZE, tile: 48, overlap: 8 },
  ],
  patchcore: [{ method: "patchcore", inputSize: SIZE }],
  crad: [{ method: "crad", inputSize: SIZE, epochs: 1, leastSteps: 1 }],
  simplenet: [{ method: "simplenet", inputSize: SIZE, hidden: 16, epochs: 1, leastSteps: 1 }],
  uniad: [{ method: "uniad", inputSize: SIZE, layers: 1, steps: 1 }],
  riad: [{ method: "riad", inputSize: SIZE, baseWidth: 2, epochs: 1, leastSteps: 1 }],
};
const [plate] = synthesise({ size: SIZE, train: 10, good: 1, defective: 1, seed: 3 });

async function* pictures(): AsyncGenerator<TrainingImage> {
  for (const { rgba } of plate!.train) yield { className: "CLASS", image: { width: SIZE, height: SIZE, data: rgba } };
}

const files = new Map<string, Uint8Array[]>(METHOD_NAMES.map((method) => [method, []]));
const decoded = (method: string, nth = 0): SafetensorsFile => decodeSafetensors(files.get(method)![nth]!, method);
const configsOf = (method: string): unknown[] =>
  files.get(method)!.map((_file, nth) => JSON.parse(decoded(method, nth).metadata["config"]!) as unknown);

beforeAll(async () => {
  for (const method of METHOD_NAMES) {
    for (const options of OPTIONS[method]) {
      const detector = await trainDetector(device, pictures(), options);
      files.get(method)!.push(withMetrics(await encodeDetector(detector), { mean: {} }, method));
      detector.release();
    }
  }
});

/** Paths of all values: "input.size". */
function keysOf(value: unknown, prefix = ""): string[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [prefix];
  return Object.entries(value).flatMap(([key, inner]) => keysOf(inner, prefix === "" ? key : `${prefix}.${key}`));
}

/** The keys in the first column of the table in a page's section. */
function documented(page: string, heading: string): string[] {
  const section = readFileSync(page, "utf8")
    .split(/^#+ /m)
    .find((text) => text.startsWith(`${heading}\n`))!;
  const cells = [...section.matchAll(/^\| (`.*?) \|/gm)].map(([, cell]) => cell!);
  return cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, key]) => key!)).sort();
}

test("the page names every text of the metadata, and no other", () => {
  for (const method of METHOD_NAMES)
    expect(documented("docs/model_file.md", "The model file")).toEqual(Object.keys(decoded(method).metadata).sort());
  const page = readFileSync("docs/model_file.md", "utf8");
  const { format, version, preprocessing } = decoded("grad").metadata;
  expect(page).toContain(`| \`format\` | \`${format}\` |`);
  expect(page).toContain(`| \`version\` | \`${version}\`;`);
  const [row] = /^\| `preprocessing` .*$/m.exec(page)!;
  for (const key of Object.keys(JSON.parse(preprocessing!) as object)) expect(row).toContain(`\`${key}\``);
});

test("the page names every key of a configuration, and no other", () => {
  const isOwn = (key: string): boolean => key.startsWith("method.config.");
  const keys = METHOD_NAMES.flatMap((method) => configsOf(method).flatMap((config) => keysOf(config))).filter(
    (key) => !isOwn(key),
  );
  expect(documented("docs/model_file.md", "Configuration")).toEqual([...new Set([...keys, "method.config"])].sort());
});

test.each(METHOD_NAMES)("the page of %s names every key of its configuration, and no other", (method) => {
  const configs = configsOf(method) as { readonly method: { readonly config: unknown } }[];
  const keys = configs.flatMap(({ method: { config } }) => keysOf(config)).filter((key) => key !== "joins");
  expect(documented(`docs/methods/${method}.md`, "In the model file")).toEqual([...new Set(keys)].sort());
});

test("the tensors that the page names are there", () => {
  const tensors = METHOD_NAMES.flatMap((method) => [...decoded(method).tensors.keys()]);
  const named = [
    ...readFileSync("docs/model_file.md", "utf8").matchAll(/`((?:features|normal|abnormal)\.[\w.]+|bank)`/g),
  ].map(([, name]) => name);
  expect(named.length).toBeGreaterThan(6);
  expect(tensors).toEqual(expect.arrayContaining(named));
});

const python = ["/usr/bin/python3", "python3"].find((name) => spawnSync(name, ["-c", ""]).status === 0);

describe.skipIf(python === undefined)("the page's Python program", async () => {
  const folder = await temporaryFolder();
  const hasPackage = python !== undefined && spawnSync(python, ["-c", "import numpy, safetensors"]).status === 0;
  const env = hasPackage ? process.env : { ...process.env, PYTHONPATH: new URL("./python", import.meta.url).pathname };
  const [, program] = /```python\n([^]*?)```/.exec(readFileSync("docs/model_file.md", "utf8"))!;

  test.each(METHOD_NAMES)("prints the configuration and the tensors of a model of %s", async (method) => {
    await writeFile(`${folder}/model.safetensors`, files.get(method)![0]!);
    const printed = execFileSync(python!, ["-c", program!], { cwd: folder, env, encoding: "utf8" }).split("\n");
    expect(printed[0]).toMatch(new RegExp(`^bigrid-detector 4 ${method} embedded \\d`));
    const [first] = configsOf(method) as { readonly method: { readonly config: object } }[];
    const { config } = first!.method;
    const names = [...Object.keys(config), ...decoded(method).tensors.keys()];
    expect(printed.slice(1, -1).map((line) => line.split(" ")[0])).toEqual(names);
  });
});
