import { expect, test } from "vitest";
import { isForced, Search } from "../../bench/isa/compile.ts";
import type { Use } from "../../src/cli/isa/manifest.ts";
import { KERNELS, type Measured } from "../../bench/kernels/rows.ts";
import { inferenceRows, prepareStep, stepRows } from "../../bench/training/grad_rows.ts";
import { device } from "../harness/device.ts";
import { Zeros } from "../harness/made_up_detector.ts";

const rowOf = (name: string): Measured => KERNELS.find(({ kernel }) => kernel === name)!;

test("a search finds the pipelines of a row, and nothing is compiled", async () => {
  const search = new Search(device);
  const before = device.counters();
  for (const name of ["matmul.forward, registers", "batch_norm.forward"]) {
    using _scope = search.device.scope({ awaits: true });
    const run = rowOf(name).prepare(search.device);
    await search.in({ row: name, isForced: isForced(name) }, run);
  }
  const used = [...search.found.values()].filter(({ uses }) => uses.size > 0);
  expect(used.map(({ label, uses }) => [label.split("<")[0], [...uses.values()]])).toMatchObject([
    ["matmul.forward", [{ row: "matmul.forward, registers", isForced: true }]],
    ["batch_norm.forward", [{ row: "batch_norm.forward", isForced: false, intensity: 0 }]],
  ]);
  const [{ intensity }] = [...used[0]!.uses.values()] as [Use];
  expect(intensity).toBeCloseTo(85.2, 1); // 784x272 by 272x1088: operations for the bytes of three matrices
  expect(search.found.size).toBeGreaterThan(used.length); // what made the inputs
  expect(device.counters()).toEqual(before);
});

test("a training step is searched through the programs that it captures", async () => {
  const search = new Search(device);
  const [tiny] = stepRows(search.device);
  await search.in({ row: "step", isForced: false }, async () => {
    const { run, release } = prepareStep(search.device, tiny!, () => new Zeros(1, 0));
    for (let i = 0; i < tiny!.warmUps; i++) await run();
    release();
  });
  const shaders = new Set([...search.found.values()].map(({ shader }) => shader));
  for (const name of ["feature_block_paste", "grid_sample", "optimizer", "hinge_loss"]) expect(shaders).toContain(name);
});

test("inference is searched in half precision where the device has it", () => {
  const half = inferenceRows(device).filter((row) => row.half).length;
  expect(half > 0).toBe(device.gpu.features.has("shader-f16"));
});
