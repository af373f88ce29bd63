// Dawn's null backend offers subgroup matrices and computes nothing. What Tint says of programs there, it says on
// hardware.
import { describe, expect, test } from "vitest";
import { create } from "webgpu";
import { MATRIX_FORMS, matrixModule, matrixTiling } from "../../src/kernels/products/subgroup.ts";
import { LOAD_A, LOAD_B } from "../../src/kernels/products/tiled.ts";
import type { Device } from "../../src/runtime/device.ts";
import { wgslOf, type Element } from "../../src/runtime/kernel.ts";
import type { MatrixKind } from "../../src/runtime/matrices.ts";
import "../harness/device.ts"; // its globals
import { KINDS } from "../harness/emulated_matrices.ts";

const FEATURE = "chromium-experimental-subgroup-matrix";
const KIND = KINDS["16x16x16 of f16"]!;

describe("Tint, on an adapter that only compiles,", async () => {
  const gpu = create(["backend=null", "enable-dawn-features=allow_unsafe_apis"]);
  (globalThis as { nullGpu?: unknown }).nullGpu = gpu; // collected, it would take the process along
  const adapter = (await gpu.requestAdapter())!;
  const requiredFeatures = ["shader-f16", FEATURE] as GPUFeatureName[];
  const compiler = await adapter.requestDevice({ requiredFeatures });

  /** Constants of a form on this adapter, as if its units were of that kind. */
  function constantsOf(kind: MatrixKind, form: string = MATRIX_FORMS[0]): Record<string, number> {
    const matrices = { feature: FEATURE, lanes: adapter.info.subgroupMaxSize, kinds: [kind] };
    const device = { gpu: compiler, adapter: { matrices } } as unknown as Device;
    const { rows, columns, depth, constants } = matrixTiling(device, kind.type, form)!;
    return { ...constants, TILE_ROWS: rows, TILE_COLUMNS: columns, TILE_DEPTH: depth };
  }

  /** The error of a program or of its pipeline; null if there is none. */
  async function faultOf(code: string, constants: Record<string, number>): Promise<string | null> {
    compiler.pushErrorScope("validation");
    compiler.pushErrorScope("internal");
    const compute = { module: compiler.createShaderModule({ code }), entryPoint: "forward_matrices", constants };
    compiler.createComputePipeline({ layout: "auto", compute });
    const errors = [await compiler.popErrorScope(), await compiler.popErrorScope()];
    return errors.find((error) => error !== null)?.message ?? null;
  }

  const elementsOf = ({ type }: MatrixKind): readonly Element[] =>
    type === "f16" ? ["f16", "f16x4"] : ["f32", "f32x4", "f16", "f16x4"];
  const programs = Object.entries(KINDS).flatMap(([name, kind]) =>
    elementsOf(kind).map((element) => [element, name, kind] as const),
  );

  test.each(programs)("finds nothing wrong with %s on units of %s", async (element, _name, kind) => {
    const code = wgslOf(matrixModule(FEATURE, kind), element);
    for (const form of MATRIX_FORMS) {
      const constants = constantsOf(kind, form);
      expect(await faultOf(code, constants)).toBeNull();
      const { transposed } = LOAD_A;
      expect(
        await faultOf(code, { ...constants, LOAD_A: transposed, LOAD_B: LOAD_B.transposed, SLICED: 1 }),
      ).toBeNull();
      expect(await faultOf(code, { ...constants, LOAD_A: LOAD_A.readers, LOAD_B: LOAD_B.weight, BIAS: 1 })).toBeNull();
    }
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
      "subgroup_matrix_right<matrix_elem, UNIT_N, UNIT_K>",
      "subgroup_matrix_right<matrix_elem, UNIT_N, UNIT_K / 2u>",
      "no matching call",
    ],
    [
      "lanes of a subgroup that part ways",
      "let owns = subgroup <",
      "let owns = lane <",
      "subgroup uniform control flow",
    ],
    [
      "memory too small for its matrices",
      "b_matrices: array<array<matrix_elem, UNIT_N * LINE>,",
      "b_matrices: array<array<matrix_elem, UNIT_N>,",
      "is too small (32 bytes) for the matrix access",
    ],
    [
      "a feature that does not exist",
      "enable chromium_experimental_subgroup_matrix;",
      "enable matrices;",
      "expected extension",
    ],
  ])("would find %s", async (_what, from, to, words) => {
    const code = wgslOf(matrixModule(FEATURE, KIND), "f16x4");
    expect(code.split(from)).toHaveLength(2);
    expect(await faultOf(code.replace(from, to), constantsOf(KIND))).toContain(words);
  });

  test("the standard feature's program differs by its directive alone", () => {
    const [standard, experimental] = ["subgroup-matrix", FEATURE].map((feature) => matrixModule(feature, KIND).code);
    expect(standard!.split("\n")[0]).toBe("enable subgroup_matrix;");
    expect(standard!.replace("subgroup_matrix;", "chromium_experimental_subgroup_matrix;")).toBe(experimental);
  });
});
