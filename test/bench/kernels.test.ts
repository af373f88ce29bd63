import { expect, test } from "vitest";
import { isPossible, KERNELS, type Measured } from "../../bench/kernels.ts";
import { NETWORK_ROWS } from "../../bench/network_rows.ts";
import type { Device } from "../../src/runtime/device.ts";
import type { TracedDispatch } from "../../src/runtime/profiler.ts";
import type { WgslModule } from "../../src/runtime/wgsl.ts";
import { device } from "../device.ts";

const modules = Object.values(import.meta.glob<WgslModule>("../../shaders/*.wgsl", { eager: true, import: "default" }));

/** What each row that the device can do dispatches: nothing is compiled or computed for it. */
async function dispatchedBy(device: Device): Promise<ReadonlyMap<Measured, readonly TracedDispatch[]>> {
  const { device: idle } = device.rehearsal();
  const dispatched = new Map<Measured, readonly TracedDispatch[]>();
  for (const row of [...KERNELS, ...NETWORK_ROWS].filter((row) => isPossible(device, row))) {
    using _scope = idle.scope();
    const run = row.prepare(idle);
    dispatched.set(row, await idle.trace(() => void run()));
  }
  return dispatched;
}

/** "shader.entry point" */
const nameOf = ({ label }: TracedDispatch): string => label.split("<")[0]!;

test("every kernel has a row in the benchmark", async () => {
  const dispatched = new Set([...(await dispatchedBy(device)).values()].flatMap((all) => all.map(nameOf)));
  const all = modules.flatMap(({ name, entryPoints }) => Object.keys(entryPoints).map((entryPoint) => `${name}.${entryPoint}`));
  expect(all.filter((kernel) => isPossible(device, { kernel }) && !dispatched.has(kernel))).toEqual([]);
});

test("a row is named after the shader that it runs, and like no other", async () => {
  const rows = await dispatchedBy(device);
  const wrong = [...rows].filter(([{ kernel }, dispatched]) => !dispatched.some((one) => nameOf(one).startsWith(`${kernel.split(".")[0]}.`)));
  expect(wrong.map(([{ kernel, what }, dispatched]) => [kernel, what, ...dispatched.map(nameOf)])).toEqual([]);
  const names = [...rows.keys()].map(({ kernel, what }) => `${kernel}, ${what}`);
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
});

test("dispatches are said to need what a row says that their definition needs; several need more, for what they hand on", async () => {
  const wrong = [];
  for (const [{ kernel, what, bytes, flops }, dispatched] of await dispatchedBy(device)) {
    if (kernel === "batch_norm.update_running") continue; // a few numbers in place, which are counted once
    const sum = (of: (one: TracedDispatch) => number) => dispatched.reduce((total, one) => total + of(one), 0);
    const moved = sum((one) => one.bytes) / bytes;
    const operations = sum((one) => one.operations);
    const fits = moved > 0.999 && (dispatched.length > 1 || moved < 1.01) && (operations === 0 || Math.abs(operations / flops - 1) < 1e-6);
    if (!fits) wrong.push([kernel, what, moved, operations / flops]);
  }
  expect(wrong).toEqual([]);
});
