import module from "../../../shaders/matmul.wgsl";
import tiled from "../../../shaders/tiled_product.wgsl";
import { shapeError } from "../../runtime/errors.ts";
import { elementOf, empty, packOf, type FloatDType, type Shape, type Tensor } from "../../tensor/tensor.ts";
import { activationParams } from "../activation.ts";
import type { Epilogue } from "../convolution.ts";
import { agrees } from "./agreement.ts";
import { formFor, TILES, tilingOf } from "./forms.ts";
import { floatDType, launch, requireShape } from "../launch.ts";
import { operationsOf, productOf, slicesOf, uniformSize, type ProductExtents } from "./product.ts";
import { LOAD_A, LOAD_B, tiledProduct } from "./tiled.ts";

const ROWS = 8; // output rows computed by one invocation, as in the shader
const ENOUGH_TILES = 2048; // tiles that occupy a GPU: with fewer, the sum is split into slices

/** Transposition of the operands. */
export interface MatmulOptions {
  /** True if a is stored as `[G, K, M]`. Default false. */
  readonly transposeA?: boolean;
  /** True if b is stored as `[G, N, K]`. Default false. */
  readonly transposeB?: boolean;
}

const UNTILED = ["uniform", "registers"]; // the form for software adapters, then that for GPUs

/**
 * Forms of a product that every device has: "uniform" for software adapters, "registers" for GPUs, and tiles in
 * workgroup memory.
 */
export const MATMUL_FORMS = [...UNTILED, ...Object.keys(TILES)];

interface Problem extends ProductExtents {
  readonly a: Tensor;
  readonly b: Tensor;
  readonly epilogue: Epilogue;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

/**
 * `[G,M,K]`, `[G,K,N]`, bias `[N]` -> `[G,M,N]`. The sum is split into slices only if no activation follows.
 * @param form one of MATMUL_FORMS, or of MATRIX_FORMS if the device has them. Default: fixed by shape and adapter, or the
 *   fastest if `tune` has measured it
 */
export function matmulForward(a: Tensor, b: Tensor, epilogue: Epilogue, options: MatmulOptions, form?: string): Tensor {
  const { transposeA = false, transposeB = false } = options;
  const { bias = null, activation = null } = epilogue;
  const extents = extentsOf(a, b, bias, transposeA, transposeB);
  const pack = Math.min(...[a.shape[2]!, b.shape[2]!, extents.n].map(packOf)) as 1 | 4;
  form ??= formFor({
    operand: a,
    op: "matmul",
    shaders: [module, tiled],
    extents,
    details: [elementOf(a.dtype, pack), transposeA, transposeB, activation !== null],
    untiled: UNTILED,
    trial: (form) => {
      const like = ({ device, shape, dtype }: Tensor) => empty(device, shape, dtype);
      matmulForward(like(a), like(b), { bias: bias && like(bias), activation }, options, form);
    },
    agreesWith: (form, fixed) => agreesWith(form, fixed, a, pack, activation !== null, options),
  });
  const tiling = tilingOf(form, UNTILED, a);
  if (!tiling)
    return productInRegisters({ ...extents, a, b, epilogue, transposeA, transposeB }, form === "uniform", pack);
  const [loadA, loadB] = [
    transposeA ? LOAD_A.transposed : LOAD_A.matrix,
    transposeB ? LOAD_B.transposed : LOAD_B.matrix,
  ];
  return tiledProduct(
    { op: "matmul", ...extents, a, b, loadA, loadB, epilogue, pack, shape: [extents.batch, extents.m, extents.n] },
    tiling,
  );
}

// Sizes that leave tiles partly empty; one sum short enough that a single wrong product shows, one long enough to be
// split.
const CHECKED: readonly ProductExtents[] = [44, 556].map((k) => ({ batch: 2, m: 84, n: 76, k }));

/**
 * Checks that a form computes on this device what the fixed one does. One activation stands for all; it never widens a
 * difference.
 */
function agreesWith(
  form: string,
  fixed: string,
  { device, dtype }: Tensor,
  pack: number,
  activated: boolean,
  options: MatmulOptions,
): Promise<boolean> {
  const problems = CHECKED.map(({ batch, ...extents }) => {
    const [m, n, k] = [extents.m, extents.n, extents.k].map((extent) => (pack === 4 ? extent : extent - 1)) as [
      number,
      number,
      number,
    ];
    return [
      options.transposeA ? [batch, k, m] : [batch, m, k],
      options.transposeB ? [batch, n, k] : [batch, k, n],
      [n],
    ];
  });
  return agrees(device, dtype as FloatDType, problems, ([a, b, bias], trusted) =>
    matmulForward(a!, b!, { bias: bias!, activation: activated ? "leakyRelu" : null }, options, trusted ? fixed : form),
  );
}

function productInRegisters(problem: Problem, uniform: boolean, pack: number): Tensor {
  const {
    a,
    b,
    epilogue: { bias = null, activation = null },
    transposeA,
    transposeB,
    ...extents
  } = problem;
  const { batch, m, n, k } = extents;
  const tiles = batch * Math.ceil(m / ROWS) * Math.ceil(n / 4);
  const { slices, depth } = slicesOf(extents, tiles, activation === null ? ENOUGH_TILES : 1, 4);
  const sliced = slices > 1;
  const sizeOf = uniform
    ? uniformSize(n, pack === 4 ? 8 : 4, batch * slices) // columns as in the shader
    : (rows: number) => ({ invocations: batch * Math.ceil(rows / ROWS) * Math.ceil(n / 4) * slices });
  return productOf(a.device, extents, slices, [batch, m, n], a.dtype as FloatDType, (output, partial) =>
    launch({
      module,
      entryPoint: uniform ? "forward_uniform_b" : "forward",
      element: elementOf(a.dtype, pack),
      constants: { TRANSPOSE_A: transposeA, TRANSPOSE_B: transposeB, SLICED: sliced },
      tensors: { a, b, bias: bias ?? b, output, partial },
      params: { batch, m, n, k, depth, slices, bias: Number(bias !== null), ...activationParams("matmul", activation) },
      size: sizeOf(m),
      work: { operations: operationsOf(extents) },
      ...(batch === 1 && !transposeA && !sliced && { parts: { param: "m", tensors: ["a", "output"], size: sizeOf } }),
    }),
  );
}

function extentsOf(
  a: Tensor,
  b: Tensor,
  bias: Tensor | null,
  transposeA: boolean,
  transposeB: boolean,
): ProductExtents {
  const tensors = bias ? { a, b, bias } : { a, b };
  floatDType("matmul", tensors);
  if (a.shape.length !== 3 || b.shape.length !== 3) shapeError("matmul", "expected a [G,M,K] and b [G,K,N]", tensors);
  const turned = ([g, x, y]: Shape, transposed: boolean): [number, number, number] =>
    transposed ? [g!, y!, x!] : [g!, x!, y!];
  const [batch, m, k] = turned(a.shape, transposeA);
  const [batchB, kB, n] = turned(b.shape, transposeB);
  if (batch !== batchB || k !== kB)
    shapeError("matmul", `expected b ${transposeB ? `[${batch},N,${k}]` : `[${batch},${k},N]`}`, tensors);
  if (bias) requireShape("matmul", "bias", [n], tensors);
  return { batch, m, n, k };
}
