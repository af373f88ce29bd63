import { expect, test } from "vitest";
import type { Element } from "../../src/runtime/kernel.ts";
import type { WgslModule } from "../../src/runtime/wgsl.ts";
import { device } from "../harness/device.ts";

const shaders = import.meta.glob<WgslModule>("../../shaders/*.wgsl", { eager: true, import: "default" });
const all = Object.values(shaders).map((module) => [module.name, module] as const);
// test/kernels/subgroup_product.test.ts compiles it, emulated
const modules = all.filter(([name]) => name !== "subgroup_product");

async function compile(module: WgslModule, elements: readonly Element[]): Promise<void> {
  for (const entryPoint of Object.keys(module.entryPoints)) {
    for (const element of elements) {
      const kernel = device.kernel({ module, entryPoint, element });
      await device.settle();
      // WebGPU's default limits: a kernel that needs more would not run everywhere.
      expect(kernel.bindings.length, `storage buffers of ${kernel.label}`).toBeLessThanOrEqual(8);
      expect(kernel.params.length, `params of ${kernel.label}`).toBeGreaterThan(0);
    }
  }
}

test.each(modules)("%s compiles for single precision", (_name, module) => compile(module, ["f32", "f32x4"]));

test.skipIf(!device.gpu.features.has("shader-f16")).each(modules)("%s compiles for half precision", (_name, module) =>
  compile(module, ["f16", "f16x4"]),
);
