import { describe, expect, test } from "vitest";
import module from "../../shaders/subgroup_product.wgsl";
import type { Epilogue } from "../../src/kernels/convolution.ts";
import { matmulForward, type MatmulOptions } from "../../src/kernels/products/matmul.ts";
import { SUBGROUP_MATRICES } from "../../src/kernels/products/subgroup.ts";
import { tunePending, Tuner } from "../../src/runtime/tuner.ts";
import { empty, fromArray, toArray, zeros, type FloatDType } from "../../src/tensor/tensor.ts";
import { device } from "../harness/device.ts";
import { emulated, withEmulatedMatrices, type Lanes } from "../harness/emulated_matrices.ts";
import { boundFault, withFoldedWorkgroups, withForm, type AnyOperation } from "../harness/operation.ts";
import { epilogueOperations } from "../operations/epilogue.ts";
import { matmulOperation } from "../operations/matmul.ts";

test("all that only hardware with subgroup matrices can run is put aside by the emulation", () => {
  const plain = emulated(module.code, 64);
  expect(plain.replace(/\/\/.*$/gm, "")).not.toMatch(/builtin\(subgroup|subgroup_matrix|subgroup[A-Z]|\benable\b/);
  const aside = module.code.split("\n").filter((line) => !plain.includes(line));
  expect(aside).toHaveLength(9); // the enable directive, the subgroup id, three types, four functions
});

const fusedOperation = epilogueOperations.find(({ name }) => name === "matmul ending in an activation")!;

const larger = (why: string, batch: number, m: number, n: number, k: number, transposeA = false, transposeB = false) =>
  [why, { batch, m, n, k, transposeA, transposeB }] as const;
const SEVERAL_TILES = { batch: 1, m: 68, n: 72, k: 36 }; // all small enough for the memory that `poison` fills
const PROBLEMS = [
  ...matmulOperation.problems,
  ["several tiles, packed", SEVERAL_TILES] as const,
  larger("several tiles, ragged", 1, 65, 67, 35),
  larger("several tiles of both transposed", 2, 68, 36, 40, true, true),
];

describe.skipIf(!device.gpu.features.has("shader-f16"))("with plain arithmetic in place of matrices", () => {
  const faultOf = (lanes: readonly [Lanes, number], operation: AnyOperation, problem: unknown) =>
    withEmulatedMatrices(lanes, () => withForm(SUBGROUP_MATRICES, () => boundFault(operation, problem, 3, "f16")));

  test.each(PROBLEMS)("it is the product: %s", async (_why, problem) => {
    expect(await faultOf([64, 64], matmulOperation, problem)).toBeNull();
  });

  test.each<readonly [string, readonly [Lanes, number]]>([
    ["smaller than the largest", [64, 128]],
    ["so large that a workgroup has two", [128, 128]],
  ])("it is with subgroups %s", async (_what, lanes) => {
    expect(await faultOf(lanes, matmulOperation, SEVERAL_TILES)).toBeNull();
  });

  test("it is where a dispatch dimension holds only three workgroups", async () => {
    expect(await withFoldedWorkgroups(() => faultOf([64, 64], matmulOperation, SEVERAL_TILES))).toBeNull();
  });

  test.each(fusedOperation.problems)("it ends in a bias and %s", async (_why, problem) => {
    expect(await faultOf([64, 64], fusedOperation, problem)).toBeNull();
  });

  test("what is no number, or infinite, stays in its row or column", async () => {
    const [m, n, k] = [5, 7, 3];
    const [a, b] = [new Float32Array(m * k).fill(1), new Float32Array(k * n).fill(1)];
    a[1 * k] = NaN;
    b[(k - 1) * n + 2] = Infinity;
    using _scope = device.scope({ awaits: true });
    const output = await withEmulatedMatrices([64, 64], () =>
      toArray(
        matmulForward(
          fromArray(device, [1, m, k], a, "f16"),
          fromArray(device, [1, k, n], b, "f16"),
          {},
          {},
          SUBGROUP_MATRICES,
        ),
      ),
    );
    expect([...output]).toEqual(
      Array.from({ length: m * n }, (_, i) => (Math.floor(i / n) === 1 ? NaN : i % n === 2 ? Infinity : k)),
    );
  });
});

const FIXED = "forms that every device has";

/**
 * The measured forms and the choice for a product of 40 x 12 by 12 x 36, on a device whose subgroup matrices are fast,
 * and correct unless `change` breaks them.
 */
async function measureChoice(
  {
    dtype = "f16",
    rows = 40,
    always = true,
    epilogue = {},
    ...options
  }: MatmulOptions & {
    readonly dtype?: FloatDType;
    readonly rows?: number;
    readonly always?: boolean;
    readonly epilogue?: Epilogue;
  } = {},
  change?: (code: string) => string,
) {
  const measured = new Set<string>();
  const kindOf = (label: string): string => (label.startsWith("subgroup_product") ? SUBGROUP_MATRICES : FIXED);
  const { tuner: before } = device;
  const mutable: { tuner: Tuner } = device;
  mutable.tuner = new Tuner(null, always, async (_device, run) => {
    const kind = kindOf((await device.trace(run)).at(-1)!.label);
    measured.add(kind);
    return kind === SUBGROUP_MATRICES ? 1 : 9;
  });
  try {
    return await withEmulatedMatrices(
      [64, 64],
      async () => {
        const { bytes } = device.memory();
        const product = () => {
          using _scope = device.scope();
          const [a, b] = [
            options.transposeA ? [1, 12, rows] : [1, rows, 12],
            options.transposeB ? [1, 36, 12] : [1, 12, 36],
          ];
          matmulForward(zeros(device, a, dtype), zeros(device, b, dtype), epilogue, options);
        };
        const labels = async () => (await device.trace(product)).map(({ label }) => kindOf(label));
        const first = await labels();
        await tunePending(device);
        const chosen = (await labels()).at(-1);
        await device.finish();
        expect(device.memory().bytes).toBe(bytes);
        return { first: first.at(-1), measured: [...measured], chosen };
      },
      change,
    );
  } finally {
    mutable.tuner = before;
  }
}

describe.skipIf(!device.gpu.features.has("shader-f16"))("subgroup matrices are chosen", () => {
  const CHOSEN = { first: FIXED, measured: [FIXED, SUBGROUP_MATRICES], chosen: SUBGROUP_MATRICES };
  const NEVER_MEASURED = { first: FIXED, measured: [FIXED], chosen: FIXED };

  test("where they are right and fast, but not before that was found", async () => {
    expect(await measureChoice()).toEqual(CHOSEN);
    expect(
      await measureChoice({ rows: 41, transposeA: true, transposeB: true, epilogue: { activation: "exp" } }),
    ).toEqual(CHOSEN);
  });

  test("neither in single precision, nor for few rows, nor where nothing is measured", async () => {
    expect(await measureChoice({ dtype: "f32" })).toEqual(NEVER_MEASURED);
    expect(await measureChoice({ rows: 32 })).toEqual(NEVER_MEASURED);
    expect(await measureChoice({ always: false })).toEqual({ ...NEVER_MEASURED, measured: [] });
  });

  test.each<[string, string, string]>([
    ["lose one product of sixteen", "k < max(16u,", "k < max(15u,"],
    [
      "have rows and columns of an operand exchanged",
      "b_tile[right + k * B_STRIDE + element % 16u]",
      "b_tile[right + element % 16u * B_STRIDE + k]",
    ],
    ["forget what was summed before", "var more = sums;", "var more = Sums();"],
    [
      "store one element of a matrix elsewhere",
      "let element = i * 64u + lane_of_subgroup;\n    result",
      "let element = max(1u, i * 64u + lane_of_subgroup);\n    result",
    ],
    ["compute what is no number", "= sums[i];", "= sums[i] + sqrt(-1.0 - f32(lane_of_subgroup));"],
    ["do not compile", "alias Left = u32;", "alias Left = nothing;"],
  ])("never where they %s", async (_what, from, to) => {
    expect(
      await measureChoice({}, (code) => {
        expect(code.split(from)).toHaveLength(2);
        return code.replace(from, to);
      }),
    ).toEqual(NEVER_MEASURED);
  });

  test.each([
    [true, ["uniform", "registers"]],
    [false, ["tiled 64x64x16 of 8x4", "uniform", "registers"]],
  ])("never on an adapter without them, software: %s", (software, forms) => {
    const { device: plain } = device.dryRun();
    const asked: unknown[] = [];
    const choose = (...[key, forms]: Parameters<Tuner["choose"]>) => (asked.push(key, forms), forms[0]!);
    Object.assign(plain, { adapter: { ...plain.adapter, software, matrixLanes: undefined }, tuner: { choose } });
    matmulForward(empty(plain, [1, 40, 12], "f16"), empty(plain, [1, 12, 36], "f16"), {}, {});
    expect(asked).toEqual([
      expect.stringMatching(/^matmul [0-9a-f]+-[0-9a-f]+ f16x4 false false false 1 48 48 12$/),
      forms,
    ]);
  });
});
