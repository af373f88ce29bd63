// The examples for Node, run as their first lines say, against the built package.
import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { writeSyntheticSet } from "../src/node/synthetic.ts";
import { temporaryFolder } from "./harness/temporary.ts";

const folder = await temporaryFolder();
const at = (...names: string[]) => join(folder, ...names);
await writeSyntheticSet(at("set"), { size: 64, train: 10, good: 3, defective: 3, seed: 4 });

async function outputOf(example: string, ...words: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [join("examples", example), ...words]);
  return stdout;
}

test("each example has a test below", () => {
  expect(
    readdirSync("examples")
      .filter((name) => name.endsWith(".mjs"))
      .sort(),
  ).toEqual(["evaluate.mjs", "kernel.mjs", "own_kernel.mjs", "train_and_inspect.mjs", "training_loop.mjs"]);
});

test("a kernel and its gradients", async () => {
  const output = await outputOf("kernel.mjs");
  for (const line of [
    "the middle Float32Array(1) [ 2.5 ]",
    "[ 0.25, 0.25, 0.25, 0.25 ]",
    "d sample / d grid Float32Array(2) [ 1, 2 ]",
  ])
    expect(output).toContain(line);
});

test("a kernel of one's own, its gradient and its rate", async () => {
  const output = await outputOf("own_kernel.mjs");
  expect(output).toContain("Float32Array(3) [ -0.5, 0, 0.75 ] Float32Array(3) [ 0.25, 1, 0.0625 ]");
  expect(output).toMatch(/^softsign\.forward<f32>: [1-9]\d* % of the memory's rate$/m);
});

test("a training loop of one's own learns the blur", async () => {
  const output = await outputOf("training_loop.mjs");
  const losses = [...output.matchAll(/loss (\S+)/g)].map(([, loss]) => Number(loss));
  expect(losses).toHaveLength(5);
  expect(losses.at(-1)! < losses[0]! / 1000).toBe(true);
  const weight = output
    .slice(output.indexOf("["))
    .match(/\d+\.\d+/g)!
    .map(Number);
  expect(weight[4]).toBeCloseTo(0.522 ** 2, 2);
});

test("a detector is trained, inspects, is saved, exported and evaluated", async () => {
  await mkdir(at("run"));
  const images = ["good", "scratch"].map((defect) => at("set", "weave", "test", defect, "000.png"));
  const trained = await outputOf("train_and_inspect.mjs", at("set", "weave"), at("run"), ...images);
  expect(trained).toContain("read as MVTec AD");
  expect(trained).toMatch(/normal epoch \d+ loss/);
  for (const image of images) expect(trained).toMatch(new RegExp(`${image} (good|defective) [01]\\.\\d+`));
  expect(readdirSync(at("run")).sort()).toEqual(["model.onnx", "model.safetensors"]);
  const evaluated = await outputOf("evaluate.mjs", at("run"), at("set", "weave"));
  expect(evaluated).toMatch(/^weave \{ imageAuroc: .*\nmean \{ imageAuroc: [01].*pixelAuroc: [01].*\}\n$/);
});
