import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import report from "../../bench/results/bounds.json";
import { boundOf, DISPATCH, idleGpuOf, needsOf, PEAKS, tableOf, traceStep } from "../../bench/training/bounds.ts";
import type { StepRow } from "../../bench/training/grad_rows.ts";
import { device } from "../harness/device.ts";

const PEAK = { name: "a card", teraflops: 10, gigabytes: 100 };

test("each dispatch takes the longer of its bytes and operations, and a dispatch at the least", () => {
  const work = [
    { bytes: 1e6, operations: 1e6 }, // 10 us by its bytes
    { bytes: 1e3, operations: 1e9 }, // 100 us by its operations
    { bytes: 1e3, operations: 0 }, // 0.01 us
  ];
  const { roofs, dispatched } = boundOf(work, 1, PEAK);
  expect(roofs).toBeCloseTo(0.11001, 9);
  expect(dispatched).toBeCloseTo(0.11 + DISPATCH / 1e3, 9);
  expect(boundOf([...work, ...work], 2, PEAK).roofs).toBeCloseTo(roofs, 9);
  expect(needsOf([...work, ...work], 2)).toEqual({ bytes: 1002e3, operations: 1001e6, dispatches: 3 });
});

test("a step is counted with the forms that a GPU gets, and needs twice as much for twice as many images", async () => {
  const idle = idleGpuOf(device);
  const row: StepRow = { decoder: "tiny", channels: 40, stage: "normal", batch: 2, recompute: false, warmUps: 6 };
  const traced = await traceStep(idle, row);
  expect(traced.dispatched.some(({ label }) => label.startsWith("tiled_product."))).toBe(true);
  expect(traced.dispatched.some(({ label }) => label.includes("uniform_b"))).toBe(false);
  const [once, twice] = [needsOf(traced.dispatched, traced.times), await traceStep(idle, { ...row, batch: 4 })];
  const more = needsOf(twice.dispatched, twice.times);
  expect(more.operations / once.operations).toBeCloseTo(2, 1); // all but the global codes, one for each image
  expect(more.bytes).toBeGreaterThan(once.bytes);
  expect(more.bytes).toBeLessThan(2 * once.bytes); // weights and grids once
  const rounding = 1 - 1e-9;
  for (const peak of PEAKS) {
    const { roofs, dispatched } = boundOf(traced.dispatched, traced.times, peak);
    expect(roofs).toBeGreaterThan((rounding * once.operations) / peak.teraflops / 1e9);
    expect(roofs).toBeGreaterThan((rounding * once.bytes) / peak.gigabytes / 1e6);
    expect(dispatched).toBeGreaterThan(rounding * Math.max(roofs, (once.dispatches * DISPATCH) / 1e3));
  }
});

test("the documentation's table is that of the report", () => {
  const page = readFileSync("docs/performance.md", "utf8");
  for (const line of tableOf(report.rows)) expect(page).toContain(`${line}\n`);
});
