// Dawn's null backend offers subgroup matrices and computes nothing. What Tint says of programs there, it says on
// hardware.
import { describe, expect, test } from "vitest";
import { create } from "webgpu";
import module from "../../shaders/subgroup_product.wgsl";
import { wgslOf, type Element } from "../../src/runtime/kernel.ts";
import "../harness/device.ts"; // its globals

describe("Tint, on an adapter that only compiles,", async () => {
  const gpu = create(["backend=null", "enable-dawn-features=allow_unsafe_apis"]);
  (globalThis as { nullGpu?: unknown }).nullGpu = gpu; // collected, it would take the process along
  const adapter = (await gpu.requestAdapter())!;
  const requiredFeatures = ["shader-f16", "chromium-experimental-subgroup-matrix"] as GPUFeatureName[];
  const compiler = await adapter.requestDevice({ requiredFeatures });
  const lanes = adapter.info.subgroupMaxSize;

  /** The error of a program or of its pipeline; null if there is none. */
  async function faultOf(code: string, constants: Record<string, number>): Promise<string | null> {
    compiler.pushErrorScope("validation");
    compiler.pushErrorScope("internal");
    const compute = {
      module: compiler.createShaderModule({ code }),
      entryPoint: "forward",
      constants: { WORKGROUP_SIZE: 256, ...constants },
    };
    compiler.createComputePipeline({ layout: "auto", compute });
    const errors = [await compiler.popErrorScope(), await compiler.popErrorScope()];
    return errors.find((error) => error !== null)?.message ?? null;
  }

  const SUBGROUPS = 256 / lanes;

  test.each<Element>(["f16", "f16x4"])("finds nothing wrong with %s", async (element) => {
    const code = wgslOf(module, element);
    expect(await faultOf(code, { SUBGROUPS })).toBeNull();
    expect(await faultOf(code, { SUBGROUPS, TRANSPOSE_A: 1, TRANSPOSE_B: 1, SLICED: 1 })).toBeNull();
  });

  test.each<[string, string, string, string]>([
    [
      "operands exchanged",
      "subgroupMatrixMultiplyAccumulate(left, right",
      "subgroupMatrixMultiplyAccumulate(right, left",
      "no matching call",
    ],
    [
      "matrices that do not fit each other",
      "subgroup_matrix_right<elem, 16, 16>",
      "subgroup_matrix_right<elem, 16, 8>",
      "no matching call",
    ],
    [
      "lanes of a subgroup that part ways",
      "if (subgroup < SUBGROUPS) { store_sums",
      "if (lane < SUBGROUPS) { store_sums",
      "subgroup uniform control flow",
    ],
    [
      "memory too small for its matrices",
      "b_tile: array<elem, DEPTH * B_STRIDE>",
      "b_tile: array<elem, B_STRIDE>",
      "too small",
    ],
  ])("would find %s", async (_what, from, to, words) => {
    const code = wgslOf(module, "f16x4");
    expect(code.split(from)).toHaveLength(2);
    expect(await faultOf(code.replace(from, to), { SUBGROUPS })).toContain(words);
  });
});
