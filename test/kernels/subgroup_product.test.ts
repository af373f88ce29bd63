import { describe, expect, test } from "vitest";
import module from "../../shaders/subgroup_product.wgsl";
import type { Epilogue } from "../../src/kernels/convolution.ts";
import { conv2dForward } from "../../src/kernels/conv2d.ts";
import { matmulForward, type MatmulOptions } from "../../src/kernels/products/matmul.ts";
import { MATRIX_FORMS, matrixTiling } from "../../src/kernels/products/subgroup.ts";
import { UnsupportedError } from "../../src/runtime/errors.ts";
import type { MatrixKind } from "../../src/runtime/matrices.ts";
import { tunePending, Tuner } from "../../src/runtime/tuner.ts";
import { empty, fromArray, toArray, zeros, type FloatDType } from "../../src/tensor/tensor.ts";
import { device } from "../harness/device.ts";
import { emulated, KINDS, withEmulatedMatrices, type EmulatedUnits } from "../harness/emulated_matrices.ts";
import { boundFault, exactnessFault, withFoldedWorkgroups, withForm, type AnyOperation } from "../harness/operation.ts";
import { conv2dOperation } from "../operations/conv2d.ts";
import { epilogueOperations } from "../operations/epilogue.ts";
import { matmulOperation } from "../operations/matmul.ts";

const [LARGE, SMALL] = MATRIX_FORMS;

test("all that only hardware with subgroup matrices can run is put aside by the emulation", () => {
  const plain = emulated(module.code, 64);
  expect(plain.replace(/\/\/.*$/gm, "")).not.toMatch(/builtin\(subgroup|subgroup_matrix|subgroup[A-Z]|\benable\b/);
  const aside = module.code.split("\n").filter((line) => !plain.includes(line));
  expect(aside).toHaveLength(8); // the subgroup id, three types, four functions
});

const fusedOperation = epilogueOperations.find(({ name }) => name === "matmul ending in an activation")!;

const larger = (why: string, batch: number, m: number, n: number, k: number, transposeA = false, transposeB = false) =>
  [why, { batch, m, n, k, transposeA, transposeB }] as const;
const SEVERAL_TILES = { batch: 1, m: 68, n: 72, k: 36 }; // all small enough for the memory that `poison` fills
const LARGER = [
  ["several tiles, packed", SEVERAL_TILES] as const,
  larger("several tiles, ragged", 1, 65, 67, 35),
  larger("several tiles of both transposed", 2, 68, 36, 40, true, true),
];
// Every kernel takes seconds to compile on a CPU: as few problems as show each way of loading operands.
const PROBLEMS = [
  ...matmulOperation.problems.filter(([why]) => /^(one by one|a long sum, cut|b transposed|three leading)/.test(why)),
  ...LARGER,
];
const CONVOLUTIONS = conv2dOperation.problems.filter(([why]) =>
  ["the basic decoder's 3x3, fewer channels", "dilation, stride and ragged channels at once"].includes(why),
);
const FORWARD = { sums: SEVERAL_TILES, activation: "relu" } as const;

const F32 = KINDS["8x8x8 of f32"]!;

describe.skipIf(!device.gpu.features.has("shader-f16"))("with plain arithmetic in place of matrices", () => {
  const faultOf = (
    units: EmulatedUnits,
    operation: AnyOperation,
    problem: unknown,
    { form = SMALL, dtype = "f16" }: { readonly form?: string; readonly dtype?: FloatDType } = {},
  ) => withEmulatedMatrices(units, () => withForm(form, () => boundFault(operation, problem, 3, dtype)));

  test.each(PROBLEMS)("it is the product and its gradients: %s", async (_why, problem) => {
    expect(await faultOf({}, matmulOperation, problem)).toBeNull();
  });

  test.each(Object.entries(KINDS))("it is the product on units of %s, in tiles of either size", async (_name, kind) => {
    for (const form of MATRIX_FORMS)
      expect(await faultOf({ kinds: [kind] }, fusedOperation, FORWARD, { form }), form).toBeNull();
  });

  test.each(CONVOLUTIONS)("it is the convolution and its gradients: %s", async (_why, problem) => {
    expect(await faultOf({}, conv2dOperation, problem)).toBeNull();
  });

  test("in single precision, on units of f32, it is exact where f32 is, for products and convolutions", async () => {
    const kinds = [KINDS["16x16x16 of f16"]!, F32];
    const cases: readonly (readonly [AnyOperation, unknown])[] = [
      [matmulOperation, SEVERAL_TILES],
      [conv2dOperation, CONVOLUTIONS[0]![1]],
    ];
    for (const [operation, problem] of cases) {
      const exact = () => withForm(SMALL, () => exactnessFault(operation, problem, 4));
      expect(await withEmulatedMatrices({ kinds }, exact), operation.name).toBeNull();
      expect(await faultOf({ kinds }, operation, problem, { dtype: "f32" }), operation.name).toBeNull();
    }
  });

  test.each<readonly [string, EmulatedUnits["lanes"] & object]>([
    ["of 32 lanes, which own half as many sums", [32, 32]],
    ["smaller than the largest", [64, 128]],
    ["so large that a workgroup has two", [128, 128]],
  ])("it is with subgroups %s", async (_what, lanes) => {
    expect(await faultOf({ lanes }, fusedOperation, FORWARD)).toBeNull();
  });

  test("it is where a dispatch dimension holds only three workgroups", async () => {
    expect(await withFoldedWorkgroups(() => faultOf({}, fusedOperation, FORWARD))).toBeNull();
  });

  test("it ends in a bias and an activation with a parameter", async () => {
    const activation = { name: "leakyRelu", slope: -0.5 };
    expect(await faultOf({}, fusedOperation, { ...FORWARD, activation })).toBeNull();
  });

  test("what is no number, or infinite, stays in its row or column", async () => {
    const [m, n, k] = [5, 7, 3];
    const [a, b] = [new Float32Array(m * k).fill(1), new Float32Array(k * n).fill(1)];
    a[1 * k] = NaN;
    b[(k - 1) * n + 2] = Infinity;
    using _scope = device.scope({ awaits: true });
    const output = await withEmulatedMatrices({}, () =>
      toArray(
        matmulForward(fromArray(device, [1, m, k], a, "f16"), fromArray(device, [1, k, n], b, "f16"), {}, {}, SMALL),
      ),
    );
    expect([...output]).toEqual(
      Array.from({ length: m * n }, (_, i) => (Math.floor(i / n) === 1 ? NaN : i % n === 2 ? Infinity : k)),
    );
  });
});

describe("tiles", () => {
  const tilesOf = (lanes: number, kinds: readonly MatrixKind[], form: string, dtype: FloatDType = "f16") => {
    const { device: idle } = device.dryRun();
    const limits = { maxComputeWorkgroupStorageSize: 32768 };
    Object.assign(idle, { gpu: { limits }, adapter: { ...idle.adapter, matrices: { feature: "f16", lanes, kinds } } });
    const tiling = matrixTiling(idle, dtype, form);
    if (!tiling) return null;
    const { rows, columns, depth, constants } = tiling;
    return [`${rows}x${columns}x${depth}`, `${constants["MATRIX_ROWS"]}x${constants["MATRIX_COLUMNS"]}`];
  };

  test.each([
    [32, "16x16x16 of f16", ["128x128x32", "4x2"], ["64x64x32", "2x1"]],
    [64, "16x16x16 of f16", ["128x128x32", "4x4"], ["64x64x32", "2x2"]],
    [128, "16x16x16 of f16", ["64x128x32", "4x4"], ["32x64x32", "2x2"]],
    [32, "8x16x16 of f16", ["64x128x32", "4x2"], ["32x64x32", "2x1"]],
    [32, "8x8x8 of f16", ["64x64x32", "4x2"], ["32x32x32", "2x1"]],
    [32, "8x8x8 of f32", ["64x64x32", "4x2"], ["32x32x32", "2x1"]],
  ])("of subgroups of %i with units of %s", (lanes, name, large, small) => {
    expect(MATRIX_FORMS.map((form) => tilesOf(lanes, [KINDS[name]!], form))).toEqual([large, small]);
  });

  test("are less deep where memory is short, and none where that is not enough", () => {
    const large = { m: 16, n: 16, k: 16, type: "f32" } as const;
    expect(tilesOf(32, [large], LARGE, "f32")).toEqual(["128x128x16", "4x2"]);
    expect(tilesOf(32, [{ ...large, m: 32, n: 32 }], LARGE, "f32")).toBeNull();
  });

  test("of f32 need units of f32, of f16 take those if there are no others", () => {
    expect(tilesOf(32, [KINDS["16x16x16 of f16"]!], LARGE, "f32")).toBeNull();
    expect(tilesOf(32, [KINDS["16x16x16 of f16"]!, F32], LARGE, "f16")).toEqual(["128x128x32", "4x2"]);
    expect(tilesOf(32, [F32], LARGE, "f16")).toEqual(["64x64x32", "4x2"]);
  });

  test("that a device lacks are refused by name", () => {
    const product = () => matmulForward(zeros(device, [1, 4, 4]), zeros(device, [1, 4, 4]), {}, {}, LARGE);
    using _scope = device.scope();
    expect(product).toThrow(UnsupportedError);
    expect(product).toThrow(
      /^no form large matrix tiles for f32 on .*; all devices have uniform, registers, tiled 64x64/,
    );
  });
});

const FIXED = "forms that every device has";
const MATRICES = "matrices";

/** A product or a convolution whose form is measured. */
interface Choice extends MatmulOptions, EmulatedUnits {
  readonly dtype?: FloatDType;
  readonly rows?: number;
  /** False: nothing is measured. */
  readonly always?: boolean;
  readonly epilogue?: Epilogue;
  readonly convolves?: boolean;
}

/**
 * The measured forms and the choice for a product of 40 x 12 by 12 x 36, or a convolution that is one, on a device whose
 * subgroup matrices are fast, and correct unless `change` breaks them.
 */
async function measureChoice(choice: Choice = {}) {
  const { dtype = "f16", rows = 40, always = true, epilogue = {}, convolves = false, ...options } = choice;
  const measured = new Set<string>();
  const kindOf = (label: string): string => (label.startsWith("subgroup_product") ? MATRICES : FIXED);
  const { tuner: before } = device;
  const mutable: { tuner: Tuner } = device;
  mutable.tuner = new Tuner(null, always, async (_device, run) => {
    const kind = kindOf((await device.trace(run)).at(-1)!.label);
    measured.add(kind);
    return kind === MATRICES ? 1 : 9;
  });
  const { transposeA = false, transposeB = false } = options;
  try {
    return await withEmulatedMatrices(options, async () => {
      const { bytes } = device.memory();
      const product = () => {
        using _scope = device.scope();
        if (convolves) {
          conv2dForward(zeros(device, [1, 1, rows, 12], dtype), zeros(device, [1, 1, 12, 36], dtype), epilogue, {});
          return;
        }
        const [a, b] = [transposeA ? [1, 12, rows] : [1, rows, 12], transposeB ? [1, 36, 12] : [1, 12, 36]];
        matmulForward(zeros(device, a, dtype), zeros(device, b, dtype), epilogue, { transposeA, transposeB });
      };
      const labels = async () => (await device.trace(product)).map(({ label }) => kindOf(label));
      const first = await labels();
      await tunePending(device);
      const chosen = (await labels()).at(-1);
      await device.finish();
      expect(device.memory().bytes).toBe(bytes);
      return { first: first.at(-1), measured: [...measured], chosen };
    });
  } finally {
    mutable.tuner = before;
  }
}

describe.skipIf(!device.gpu.features.has("shader-f16"))("subgroup matrices are chosen", () => {
  const CHOSEN = { first: FIXED, measured: [FIXED, MATRICES], chosen: MATRICES };
  const NEVER_MEASURED = { first: FIXED, measured: [FIXED], chosen: FIXED };

  test("where they are right and fast, but not before that was found", async () => {
    expect(await measureChoice()).toEqual(CHOSEN);
    expect(
      await measureChoice({ rows: 41, transposeA: true, transposeB: true, epilogue: { activation: "exp" } }),
    ).toEqual(CHOSEN);
  });

  test("for convolutions too", async () => {
    expect(await measureChoice({ convolves: true, epilogue: { activation: "exp" } })).toEqual(CHOSEN);
  });

  test("in single precision on units of f32, which are measured more strictly", async () => {
    expect(await measureChoice({ dtype: "f32", kinds: [F32] })).toEqual(CHOSEN);
    const rounded = (code: string) => code.replace("* f32(b_matrices[", "* quantizeToF16(b_matrices[");
    expect(await measureChoice({ dtype: "f32", kinds: [F32], change: rounded })).toEqual(NEVER_MEASURED);
  });

  test("neither in single precision on others, nor for few rows, nor where nothing is measured", async () => {
    expect(await measureChoice({ dtype: "f32" })).toEqual(NEVER_MEASURED);
    expect(await measureChoice({ rows: 32 })).toEqual(NEVER_MEASURED);
    expect(await measureChoice({ always: false })).toEqual({ ...NEVER_MEASURED, measured: [] });
  });

  const WRONG: readonly (readonly [string, string, string])[] = [
    ["lose one product of sixteen", "k < max(UNIT_K,", "k < max(UNIT_K - 1u,"],
    [
      "have rows and columns of an operand exchanged",
      "b_matrices[right][element % UNIT_N * LINE + k]",
      "b_matrices[right][k * LINE + element % UNIT_N]",
    ],
    ["forget what was summed before", "var more = sums;", "var more = Sums();"],
    [
      "store one element of a matrix elsewhere",
      "let element = i * 64u + lane_of_subgroup;\n    if (element < ELEMENTS) { result",
      "let element = max(1u, i * 64u + lane_of_subgroup);\n    if (element < ELEMENTS) { result",
    ],
    ["compute what is no number", "= sums[i]; }", "= sums[i] + sqrt(-1.0 - f32(lane_of_subgroup)); }"],
    ["do not compile", "alias Left = u32;", "alias Left = nothing;"],
  ];

  test.each(WRONG)("never where they %s", async (_what, from, to) => {
    const change = (code: string) => {
      expect(code.split(from)).toHaveLength(2);
      return code.replace(from, to);
    };
    expect(await measureChoice({ change })).toEqual(NEVER_MEASURED);
  });

  test.each(WRONG.slice(0, 2))("for no convolution where they %s", async (_what, from, to) => {
    expect(await measureChoice({ convolves: true, change: (code) => code.replace(from, to) })).toEqual(NEVER_MEASURED);
  });

  test.each([
    [true, ["uniform", "registers"]],
    [false, ["tiled 64x64x16 of 8x4", "uniform", "registers"]],
  ])("never on an adapter without them, software: %s", (software, forms) => {
    const { device: plain } = device.dryRun();
    const asked: unknown[] = [];
    const choose = (...[key, forms]: Parameters<Tuner["choose"]>) => (asked.push(key, forms), forms[0]!);
    Object.assign(plain, { adapter: { ...plain.adapter, software, matrices: undefined }, tuner: { choose } });
    matmulForward(empty(plain, [1, 40, 12], "f16"), empty(plain, [1, 12, 36], "f16"), {}, {});
    expect(asked).toEqual([
      expect.stringMatching(/^matmul [0-9a-f]+-[0-9a-f]+ f16x4 false false false 1 48 48 12$/),
      forms,
    ]);
  });
});
