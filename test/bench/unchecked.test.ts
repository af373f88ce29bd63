import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { afterAll, beforeAll, expect, test } from "vitest";
import { costOf, costSummary, openUnchecked, UNCHECKED, uncheckedWords } from "../../bench/unchecked.ts";
import { argumentsOf, loadDawn, SWITCHES } from "../../src/node/dawn.ts";
import { describeAdapter } from "../../src/node/device.ts";
import { defineKernel } from "../../src/runtime/define_kernel.ts";
import { launch } from "../../src/kernels/launch.ts";
import type { Device } from "../../src/runtime/device.ts";
import { empty, fromArray, toArray } from "../../src/tensor/tensor.ts";
import { device } from "../harness/device.ts";

let bare: Device;
beforeAll(async () => {
  bare = await openUnchecked();
});
afterAll(() => bare.destroy());

const divide = defineKernel(
  "divide",
  `@group(0) @binding(0) var<storage, read> input: array<u32>;
@group(0) @binding(1) var<storage, read_write> output: array<u32>;
@compute @workgroup_size(1)
fn main() { output[0] = input[0] / input[1]; }`,
);

async function quotient(on: Device, numbers: readonly number[]): Promise<number> {
  using _scope = on.scope({ awaits: true });
  const [input, output] = [fromArray(on, [2], Uint32Array.from(numbers)), empty(on, [1], "u32")];
  launch({ module: divide, entryPoint: "main", tensors: { input, output }, size: { workgroups: 1 } });
  return (await toArray(output))[0]!;
}

test("a device without checks leaves a division by zero to the driver; the usual one does what WGSL says", async () => {
  expect(await quotient(device, [7, 2])).toBe(3);
  expect(await quotient(bare, [7, 2])).toBe(3);
  expect(await quotient(device, [7, 0])).toBe(7);
  expect(await quotient(bare, [7, 0])).not.toBe(7);
});

test("Dawn knows every switch: it ignores unknown ones silently", () => {
  const webgpu = createRequire(import.meta.url).resolve("webgpu");
  const path = webgpu.replace(/index\.js$/, `dist/${process.platform}-${process.arch}/dawn.node`);
  const dawn = readFileSync(process.platform === "darwin" ? path.replace(process.arch, "universal") : path, "latin1");
  const known = (name: string): boolean => dawn.includes(`\0${name}\0`);
  expect([...SWITCHES, ...UNCHECKED].map(({ name }) => name).filter((name) => !known(name))).toEqual([]);
  expect(known("no_such_switch")).toBe(false);
});

test("switches that are on and off are told to Dawn, and the same ones load one instance", async () => {
  const switches = [
    { name: "a", on: true, purpose: "" },
    { name: "b", on: false, purpose: "" },
    { name: "c", on: true, purpose: "" },
  ];
  expect(argumentsOf(switches)).toEqual(["enable-dawn-features=a,c", "disable-dawn-features=b"]);
  expect(await loadDawn()).toBe(await loadDawn());
});

test("the adapter's report says which switches are set, and for what", async () => {
  const { switches, missing, matrices } = await describeAdapter();
  expect(switches).toBe(SWITCHES);
  expect(switches!.every(({ purpose }) => purpose !== "")).toBe(true);
  expect(matrices.length === 0).toBe(missing.includes("chromium-experimental-subgroup-matrix"));
});

test("what checks cost is the share of the time that they take", () => {
  const row = (name: string, least: number, unchecked: number) => ({
    name,
    least,
    unchecked: { milliseconds: unchecked, least: unchecked },
  });
  const rows = [row("a", 10, 9), row("b", 10, 5), row("c", 10, 11)];
  expect(rows.map(({ least, unchecked }) => costOf({ least }, unchecked))).toEqual(
    [0.1, 0.5, -0.1].map((x) => expect.closeTo(x, 9) as number),
  );
  expect(uncheckedWords(rows[1]!, rows[1]!.unchecked)).toBe("5.00 ms unchecked: checks cost 50 %");
  expect(costSummary(rows)).toBe("checks cost 10 % in the median of 3 rows, at most 50 %: b");
});
