import { expect, test } from "vitest";
import { isPossible, KERNELS, type Measured } from "../../bench/kernels.ts";
import { NETWORK_ROWS } from "../../bench/network_rows.ts";
import { openDevice } from "../../src/node/device.ts";
import type { Device } from "../../src/runtime/device.ts";
import type { Kernel, KernelSpec } from "../../src/runtime/kernel.ts";
import type { WgslModule } from "../../src/runtime/wgsl.ts";

const modules = Object.values(import.meta.glob<WgslModule>("../../shaders/*.wgsl", { eager: true, import: "default" }));

/** What each row that the device can do dispatches, as "shader.entry point": nothing is compiled, allocated or computed for it. */
async function dispatchedBy(device: Device): Promise<ReadonlyMap<Measured, ReadonlySet<string>>> {
  const allocation = device.allocate(4);
  let names = new Set<string>();
  Object.assign(device, {
    allocate: () => allocation,
    release: () => undefined,
    write: () => undefined,
    clear: () => undefined,
    copy: () => undefined,
    dispatch: () => undefined,
    kernel: ({ module, entryPoint }: KernelSpec): Pick<Kernel, "workgroupSize"> => {
      names.add(`${module.name}.${entryPoint}`);
      return { workgroupSize: 64 };
    },
  });
  const dispatched = new Map<Measured, ReadonlySet<string>>();
  for (const row of [...KERNELS, ...NETWORK_ROWS].filter((row) => isPossible(device, row))) {
    const run = row.prepare(device);
    names = new Set();
    run();
    dispatched.set(row, names);
  }
  device.destroy();
  return dispatched;
}

test("every kernel has a row in the benchmark", async () => {
  const device = await openDevice();
  const dispatched = new Set([...(await dispatchedBy(device)).values()].flatMap((names) => [...names]));
  const all = modules.flatMap(({ name, entryPoints }) => Object.keys(entryPoints).map((entryPoint) => `${name}.${entryPoint}`));
  expect(all.filter((kernel) => isPossible(device, { kernel }) && !dispatched.has(kernel))).toEqual([]);
});

test("a row is named after the shader that it runs, and like no other", async () => {
  const rows = await dispatchedBy(await openDevice());
  const wrong = [...rows].filter(([{ kernel }, names]) => ![...names].some((name) => name.startsWith(`${kernel.split(".")[0]}.`)));
  expect(wrong.map(([{ kernel, what }, names]) => [kernel, what, ...names])).toEqual([]);
  const names = [...rows.keys()].map(({ kernel, what }) => `${kernel}, ${what}`);
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
});
