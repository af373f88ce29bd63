// Other WGSL in place of the library's own, which the launchers take from then on: for mutants, and for the explorer.
import { defineKernel } from "../../src/runtime/define_kernel.ts";
import { Device } from "../../src/runtime/device.ts";
import type { WgslModule } from "../../src/runtime/wgsl.ts";
import { device } from "./device.ts";

type Mutable = { -readonly [K in keyof WgslModule]: WgslModule[K] };

const PRELUDE = "prelude/";

// The objects that the launchers import: changing them changes what is compiled.
const shaders = new Map(
  Object.entries(import.meta.glob<Mutable>("../../shaders/**/*.wgsl", { eager: true, import: "default" })).map(
    ([path, module]) => [path.replace("../../shaders/", "").replace(".wgsl", ""), module],
  ),
);

/** The module of a path below shaders/, without `.wgsl`. */
export function shaderModule(shader: string): WgslModule {
  const module = shaders.get(shader);
  if (!module) throw new Error(`${shader}: no such shader; there are ${[...shaders.keys()].join(", ")}`);
  return module;
}

/**
 * Changes a shader until it is disposed of. Kernels are cached by module name, so the modules are renamed meanwhile; a
 * prelude is part of every kernel.
 * @param as distinguishes the names
 * @throws UsageError if the code is no kernel of the library's conventions
 */
export function changedShader(shader: string, code: string, as: string): Disposable {
  const module = shaderModule(shader);
  const isPrelude = shader.startsWith(PRELUDE);
  const replaced = new Map<Mutable, PropertyDescriptorMap>();
  const replace = (other: Mutable, fields: PropertyDescriptorMap): void => {
    replaced.set(other, Object.getOwnPropertyDescriptors(other));
    Object.defineProperties(other, fields);
  };
  const renamed = ({ name }: WgslModule): string => `${name} (${as})`;
  if (isPrelude) {
    for (const other of shaders.values()) replace(other, Object.getOwnPropertyDescriptors({ name: renamed(other) }));
    Object.assign(module, { code });
  } else {
    const { ownSizes: _unchecked, ...kernel } = defineKernel(renamed(module), code);
    replace(module, Object.getOwnPropertyDescriptors(kernel));
  }
  return {
    [Symbol.dispose]: () => replaced.forEach((fields, other) => Object.defineProperties(other, fields)),
  };
}

/** Names of the shaders that are run meanwhile, without what `changedShader` adds. */
export async function shadersOf(work: () => Promise<unknown>): Promise<ReadonlySet<string>> {
  const used = new Set<string>();
  device.kernel = (spec) => {
    used.add(spec.module.name.replace(/ \(.*\)$/, ""));
    return Device.prototype.kernel.call(device, spec);
  };
  try {
    await work();
  } finally {
    delete (device as { kernel?: unknown }).kernel; // uncovers the method of the class
  }
  return used;
}
