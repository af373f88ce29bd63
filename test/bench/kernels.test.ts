import { expect, test } from "vitest";
import { isPossible, KERNELS, type Measured } from "../../bench/kernels/rows.ts";
import { NETWORK_ROWS } from "../../bench/training/network_rows.ts";
import type { Device } from "../../src/runtime/device.ts";
import type { TracedDispatch } from "../../src/runtime/profiler.ts";
import type { WgslModule } from "../../src/runtime/wgsl.ts";
import { device } from "../harness/device.ts";

const modules = Object.values(import.meta.glob<WgslModule>("../../shaders/*.wgsl", { eager: true, import: "default" }));

const UNIT = { m: 16, n: 16, k: 16, type: "f16" } as const;

/** A device that compiles and computes nothing, with half precision and subgroup matrices. */
function idleDevice(): Device {
  const { device: idle } = device.dryRun();
  return Object.assign(idle, {
    adapter: { ...idle.adapter, matrices: { feature: "subgroup-matrix", lanes: 32, kinds: [UNIT] } },
  });
}

/** The dispatches of each row that the device can run. */
async function traceRows(idle: Device): Promise<ReadonlyMap<Measured, readonly TracedDispatch[]>> {
  const dispatched = new Map<Measured, readonly TracedDispatch[]>();
  for (const row of [...KERNELS, ...NETWORK_ROWS].filter((row) => isPossible(idle, row))) {
    using _scope = idle.scope({ awaits: true });
    const run = row.prepare(idle);
    dispatched.set(row, await idle.trace(() => void run()));
  }
  return dispatched;
}

/** "shader.entry point" */
const nameOf = ({ label }: TracedDispatch): string => label.split("<")[0]!;

test("every kernel has a row in the benchmark", async () => {
  const idle = idleDevice();
  const dispatched = new Set([...(await traceRows(idle)).values()].flatMap((all) => all.map(nameOf)));
  const all = modules.flatMap(({ name, entryPoints }) =>
    Object.keys(entryPoints).map((entryPoint) => `${name}.${entryPoint}`),
  );
  expect(all.filter((kernel) => isPossible(idle, { kernel }) && !dispatched.has(kernel))).toEqual([]);
});

test("a row is named after the shader that it runs, and like no other", async () => {
  const rows = await traceRows(idleDevice());
  const wrong = [...rows].filter(
    ([{ kernel }, dispatched]) => !dispatched.some((one) => nameOf(one).startsWith(`${kernel.split(".")[0]}.`)),
  );
  expect(wrong.map(([{ kernel, what }, dispatched]) => [kernel, what, ...dispatched.map(nameOf)])).toEqual([]);
  const names = [...rows.keys()].map(({ kernel, what }) => `${kernel}, ${what}`);
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
});

// kernels that count operations
const MULTIPLIES =
  /^(matmul|tiled_product|subgroup_product|conv2d|winograd|depthwise_conv2d|nearest_rows|farthest_point)\./;

test("dispatches are said to need what a row says that their definition needs; several need more, for what they hand on", async () => {
  const wrong = [];
  for (const [{ kernel, what, bytes, flops }, dispatched] of await traceRows(idleDevice())) {
    if (kernel === "batch_norm.update_running") continue; // a few numbers in place, which are counted once
    const sum = (of: (one: TracedDispatch) => number) => dispatched.reduce((total, one) => total + of(one), 0);
    const moved = sum((one) => one.bytes) / bytes;
    const operations = sum((one) => one.operations);
    const fits =
      moved > 0.999 &&
      (dispatched.length > 1 || moved < 1.01) &&
      (MULTIPLIES.test(kernel) ? Math.abs(operations / flops - 1) < 1e-6 : operations === 0);
    if (!fits) wrong.push([kernel, what, moved, operations / flops]);
  }
  expect(wrong).toEqual([]);
});
