// The script for machines with a GPU, with a program in place of Node that notes what it is asked to do.
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { temporaryFolder } from "../harness/temporary.ts";

const root = await temporaryFolder();
let machines = 0;

/**
 * Runs the script on a machine whose Node and Python do what the shell's lines say, with the name of the program in $1.
 */
function measure(words: readonly string[], node: string, python = "exit 1") {
  const folder = join(root, String(machines++));
  const [bin, programs, tools, out] = ["bin", "dist-device", "tools/device", "out"].map((name) => join(folder, name));
  for (const each of [bin!, programs!, tools!]) mkdirSync(each, { recursive: true });
  cpSync("tools/device/measure.sh", join(tools!, "measure.sh"));
  writeFileSync(join(programs!, "adapter.mjs"), "");
  writeFileSync(join(programs!, "commit"), "abc1234\n");
  const asked = join(folder, "asked.txt");
  for (const [name, lines] of [
    [
      "node",
      `case $1 in --version) echo v20 ;; *) echo "$@" >> '${asked}'; set -- "$(basename "$1")"; ${node} ;; esac`,
    ],
    ["python3", `case $1 in -c) ${python} ;; *) echo "$@" >> '${asked}' ;; esac`],
    ["nvidia-smi", "echo a card"],
  ] as const) {
    writeFileSync(join(bin!, name), `#!/bin/bash\n${lines}\n`);
    chmodSync(join(bin!, name), 0o755);
  }
  const { status, stdout, stderr } = spawnSync("bash", [join(tools!, "measure.sh"), ...words], {
    encoding: "utf8",
    env: { ...process.env, PATH: [bin, process.env["PATH"]].join(delimiter), OUT: out },
  });
  const text = (path: string): string[] => readFileSync(path, "utf8").trim().split("\n");
  return { status, said: stdout + stderr, out: out!, asked: () => text(asked) };
}

const NODE_PARTS = ["adapter", "correctness", "training", "training", "summary", "grad", "kernels"];

test("every part runs, within ten minutes in all, and says where its results are", () => {
  const { status, said, out, asked } = measure([], "exit 0");
  expect(status).toBe(0);
  const lines = asked();
  expect(lines.map((line) => /(\w+)\.mjs/.exec(line)![1])).toEqual(NODE_PARTS);
  expect(
    lines.every((line) => line.includes(`--out ${out} `) || line.includes(`--out ${out.replace("/private", "")} `)),
  ).toBe(true);
  const seconds = [...said.matchAll(/^--- \w+: (\d+) s$/gm)].map(([, count]) => Number(count));
  expect(seconds).toHaveLength(NODE_PARTS.length);
  expect(seconds.reduce((a, b) => a + b) + 75).toBeLessThanOrEqual(600); // and PyTorch
  expect(said).toContain("commit abc1234");
  expect(said).toContain("torch: left out");
  expect(JSON.parse(readFileSync(join(out, "parts.json"), "utf8"))).toEqual({
    adapter: 0,
    correctness: 0,
    training: 0,
    tuned: 0,
    summary: 0,
    grad: 0,
    kernels: 0,
  });
  expect(readFileSync(join(out, "log.txt"), "utf8")).toContain("a card");
});

test("nothing is measured on an adapter that is refused", () => {
  const { status, asked } = measure([], '[ "$1" != adapter.mjs ]');
  expect(status).toBe(1);
  expect(asked()).toHaveLength(1);
  expect(asked()[0]).not.toContain("--software");
});

test("a part that fails ends alone, but wrong results are the script's failure", () => {
  const failing = measure([], '[ "$1" != grad.mjs ]');
  expect([failing.status, failing.asked().length]).toEqual([0, NODE_PARTS.length]);
  expect(JSON.parse(readFileSync(join(failing.out, "parts.json"), "utf8"))).toMatchObject({ grad: 1, kernels: 0 });
  const wrong = measure([], '[ "$1" != correctness.mjs ]');
  expect([wrong.status, wrong.asked().length]).toEqual([1, NODE_PARTS.length]);
  expect(measure([], '[ "$1" != correctness.mjs ] || exit 124').status).toBe(0); // a long case proves nothing
});

test("PyTorch is measured where it has CUDA, and in a rehearsal where it is", () => {
  expect(
    measure([], "exit 0", "exit 0")
      .asked()
      .filter((line) => /torch_peer\.py --out/.test(line)),
  ).toHaveLength(1);
  const isNoCuda = 'case "$2" in *cuda*) exit 1 ;; esac';
  const rehearsed = measure(["--software", "--small"], "exit 0", isNoCuda).asked();
  expect(rehearsed.filter((line) => /torch_peer\.py --small --device cpu --out/.test(line))).toHaveLength(1);
  expect(rehearsed[0]).toContain("adapter.mjs --software --out");
  expect(rehearsed.filter((line) => /training\.mjs --steps 20 --small/.test(line))).toHaveLength(1);
});

test("an unknown option is refused", () => {
  const { status, said } = measure(["--fast"], "exit 0");
  expect([status, said.trim()]).toEqual([2, "measure.sh: unknown option --fast; there are --software and --small"]);
});

let bundle: string;
beforeAll(async () => {
  bundle = join(root, "bundle");
  execFileSync(process.execPath, ["tools/device/bundle.mjs", bundle], { stdio: "pipe" });
});

test("the bundle needs Node and the package webgpu alone, and is small", () => {
  const files = readdirSync(bundle).filter((name) => name.endsWith(".mjs"));
  const sources = files.map((name) => readFileSync(join(bundle, name), "utf8"));
  const packages = sources.flatMap((source) =>
    [...source.matchAll(/(?:\bfrom |\bimport\()"([^".][^"]*)"/g)].map(([, name]) => name!),
  );
  expect([...new Set(packages)].filter((name) => !name.startsWith("node:"))).toEqual(["webgpu"]);
  expect(sources.reduce((sum, source) => sum + source.length, 0)).toBeLessThan(4e6);
  for (const name of [...NODE_PARTS.map((part) => `${part}.mjs`), "torch_peer.py", "commit"])
    expect(readdirSync(bundle)).toContain(name);
});

test("the summary has all times of a row side by side", () => {
  const out = join(root, "results");
  mkdirSync(out);
  const write = (name: string, rows: readonly object[]) =>
    writeFileSync(join(out, `${name}.json`), JSON.stringify({ rows }));
  write("training", [{ name: "a", least: 1, median: 2 }]);
  write("torch", [
    { name: "a", f32: { least: 3, median: 4 }, tf32: { least: 2, median: 3 } },
    { name: "b", error: "out of memory" },
  ]);
  const said = execFileSync(process.execPath, [join(bundle, "summary.mjs"), "--out", out], { encoding: "utf8" });
  expect(said).toMatch(/^a +2\.00 +4\.00 +3\.00$/m);
  expect(JSON.parse(readFileSync(join(out, "summary.json"), "utf8"))).toEqual({
    rows: [
      { name: "a", fixed: 2, tuned: null, torch: 4, tf32: 3 },
      { name: "b", fixed: null, tuned: null, torch: null, tf32: null },
    ],
  });
});
