import { describe, expect, test } from "vitest";
import { create } from "webgpu";
import module from "../../shaders/subgroup_product.wgsl";
import { matmulForward } from "../../src/kernels/matmul.ts";
import { normal } from "../../src/kernels/random.ts";
import { SUBGROUP_MATRICES } from "../../src/kernels/subgroup_product.ts";
import { cast } from "../../src/ops/cast.ts";
import { wgslOf, type Element } from "../../src/runtime/kernel.ts";
import { tune, Tuner } from "../../src/runtime/tuner.ts";
import { toArray, type FloatDType } from "../../src/tensor/tensor.ts";
import { device } from "../device.ts";
import { emulated, withEmulatedMatrices } from "../emulated_matrices.ts";
import { boundFault, withFoldedWorkgroups, withForm, type AnyOperation } from "../operation.ts";
import { epilogueOperations } from "../operations/epilogue.ts";
import { matmulOperation } from "../operations/matmul.ts";

describe("Tint, on an adapter that only compiles,", async () => {
  const gpu = create(["backend=null", "enable-dawn-features=allow_unsafe_apis"]);
  (globalThis as { nullGpu?: unknown }).nullGpu = gpu; // collected, it would take the process along
  const adapter = (await gpu.requestAdapter())!;
  const requiredFeatures = ["shader-f16", "chromium-experimental-subgroup-matrix"] as GPUFeatureName[];
  const compiler = await adapter.requestDevice({ requiredFeatures });
  const lanes = adapter.info.subgroupMaxSize!;

  /** What is wrong with a program, or with a pipeline of it; null for nothing. */
  async function faultOf(code: string, constants: Record<string, number>): Promise<string | null> {
    compiler.pushErrorScope("validation");
    compiler.pushErrorScope("internal");
    const compute = { module: compiler.createShaderModule({ code }), entryPoint: "forward", constants: { WORKGROUP_SIZE: 256, ...constants } };
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
    ["operands exchanged", "subgroupMatrixMultiplyAccumulate(left, right", "subgroupMatrixMultiplyAccumulate(right, left", "no matching call"],
    ["sums of another type", "subgroup_matrix_result<f32,", "subgroup_matrix_result<f16,", "no matching call"],
    ["lanes of a subgroup that part ways", "if (subgroup < SUBGROUPS) { store_sums", "if (lane < SUBGROUPS) { store_sums", "subgroup uniform control flow"],
    ["memory too small for its matrices", "b_tile: array<elem, DEPTH * B_STRIDE>", "b_tile: array<elem, B_STRIDE>", "too small"],
  ])("would find %s", async (_what, from, to, words) => {
    const code = wgslOf(module, "f16x4");
    expect(code.split(from)).toHaveLength(2);
    expect(await faultOf(code.replace(from, to), { SUBGROUPS })).toContain(words);
  });
});

test("all that only hardware with subgroup matrices can run is put aside by the emulation", () => {
  const plain = emulated(module.code, 64).replace(/\/\/.*$/gm, "");
  expect(plain).not.toMatch(/builtin\(subgroup|subgroup_matrix|subgroup[A-Z]|\benable\b/);
  expect(module.code.split("\n").filter((line) => !emulated(module.code, 64).includes(line))).toHaveLength(9); // enable, subgroup_id, types, calls
});

const larger = (why: string, batch: number, m: number, n: number, k: number, transposeA = false, transposeB = false) =>
  [why, { batch, m, n, k, transposeA, transposeB }] as const;
const PROBLEMS = [
  ...matmulOperation.problems,
  larger("several tiles, packed", 2, 132, 68, 72),
  larger("several tiles, ragged", 1, 67, 129, 35),
  larger("several tiles of both transposed", 2, 68, 72, 36, true, true),
];

describe.skipIf(!device.gpu.features.has("shader-f16"))("with plain arithmetic in place of matrices", () => {
  const faultOf = (lanes: readonly [64 | 128, number], operation: AnyOperation, problem: unknown) =>
    withEmulatedMatrices(lanes, () => withForm(SUBGROUP_MATRICES, () => boundFault(operation, problem, 3, "f16")));

  test.each(PROBLEMS)("it is the product: %s", async (_why, problem) => {
    expect(await faultOf([64, 64], matmulOperation, problem)).toBeNull();
  });

  test.each<readonly [string, readonly [64 | 128, number]]>([
    ["smaller than the largest", [64, 128]],
    ["so large that a workgroup has two", [128, 128]],
  ])("it is with subgroups %s", async (_what, lanes) => {
    for (const [why, problem] of PROBLEMS.slice(-3)) expect(await faultOf(lanes, matmulOperation, problem), why).toBeNull();
  });
});
