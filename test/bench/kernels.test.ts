import { expect, test } from "vitest";
import { KERNELS, type Measured } from "../../bench/kernels.ts";
import { NETWORK_ROWS } from "../../bench/network_rows.ts";
import { openDevice } from "../../src/node/device.ts";
import type { Kernel, KernelSpec } from "../../src/runtime/kernel.ts";
import type { WgslModule } from "../../src/runtime/wgsl.ts";

const modules = Object.values(import.meta.glob<WgslModule>("../../shaders/*.wgsl", { eager: true, import: "default" }));

/** What each row dispatches, as "shader.entry point": nothing is compiled, allocated or computed for it. */
async function dispatchedBy(rows: readonly Measured[]): Promise<ReadonlyMap<Measured, ReadonlySet<string>>> {
  const device = await openDevice();
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
  for (const row of rows) {
    const run = row.prepare(device);
    names = new Set();
    run();
    dispatched.set(row, names);
  }
  device.destroy();
  return dispatched;
}

test("every kernel has a row in the benchmark", async () => {
  const dispatched = new Set([...(await dispatchedBy([...KERNELS, ...NETWORK_ROWS])).values()].flatMap((names) => [...names]));
  const all = modules.flatMap(({ name, entryPoints }) => Object.keys(entryPoints).map((entryPoint) => `${name}.${entryPoint}`));
  expect(all.filter((name) => !dispatched.has(name))).toEqual([]);
});

test("a row is named after the shader that it runs, and like no other", async () => {
  const rows = await dispatchedBy([...KERNELS, ...NETWORK_ROWS]);
  const wrong = [...rows].filter(([{ kernel }, names]) => ![...names].some((name) => name.startsWith(`${kernel.split(".")[0]}.`)));
  expect(wrong.map(([{ kernel, what }, names]) => [kernel, what, ...names])).toEqual([]);
  const names = [...rows.keys()].map(({ kernel, what }) => `${kernel}, ${what}`);
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
});
