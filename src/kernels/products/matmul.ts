import module from "../../../shaders/matmul.wgsl";
import matrices from "../../../shaders/subgroup_product.wgsl";
import tiled from "../../../shaders/tiled_product.wgsl";
import type { Device } from "../../runtime/device.ts";
import { shapeError } from "../../runtime/errors.ts";
import { elementOf, empty, packOf, type FloatDType, type Shape, type Tensor } from "../../tensor/tensor.ts";
import { activationParams } from "../activation.ts";
import type { Epilogue } from "../convolution.ts";
import { formFor, TILES } from "./forms.ts";
import { floatDType, launch, requireShape } from "../launch.ts";
import { operationsOf, productOf, slicesOf, uniformSize, type ProductExtents } from "./product.ts";
import { agrees, hasSubgroupMatrices, SUBGROUP_MATRICES, subgroupProduct } from "./subgroup.ts";
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
 * @param form one of MATMUL_FORMS, or SUBGROUP_MATRICES if the device has them and a is f16. Default: fixed by shape
 *   and adapter, or the fastest if `tune` has measured it
 */
export function matmulForward(a: Tensor, b: Tensor, epilogue: Epilogue, options: MatmulOptions, form?: string): Tensor {
  const { transposeA = false, transposeB = false } = options;
  const { bias = null, activation = null } = epilogue;
  const extents = extentsOf(a, b, bias, transposeA, transposeB);
  const pack = Math.min(...[a.shape[2]!, b.shape[2]!, extents.n].map(packOf)) as 1 | 4;
  const withMatrices = hasSubgroupMatrices(a, extents);
  form ??= formFor({
    device: a.device,
    op: "matmul",
    shaders: [module, tiled, ...(withMatrices ? [matrices] : [])],
    extents,
    details: [elementOf(a.dtype, pack), transposeA, transposeB, activation !== null],
    untiled: UNTILED,
    trial: (form) => {
      const like = ({ device, shape, dtype }: Tensor) => empty(device, shape, dtype);
      matmulForward(like(a), like(b), { bias: bias && like(bias), activation }, options, form);
    },
    guarded: withMatrices
      ? {
          form: SUBGROUP_MATRICES,
          agreesWith: (fixed) => agreesWith(fixed, a.device, pack, activation !== null, options),
        }
      : null,
  });
  const tile = TILES[form];
  const problem = { ...extents, a, b, epilogue, transposeA, transposeB };
  if (form === SUBGROUP_MATRICES) return subgroupProduct(problem, pack);
  if (!tile) return productInRegisters(problem, form === "uniform", pack);
  const [loadA, loadB] = [
    transposeA ? LOAD_A.transposed : LOAD_A.matrix,
    transposeB ? LOAD_B.transposed : LOAD_B.matrix,
  ];
  return tiledProduct(
    { op: "matmul", ...extents, a, b, loadA, loadB, epilogue, pack, shape: [extents.batch, extents.m, extents.n] },
    tile,
  );
}

/**
 * Checks that products on subgroup matrices agree with those of the fixed form. One activation stands for all; it never
 * widens a difference.
 */
const agreesWith = (
  fixed: string,
  device: Device,
  pack: number,
  activated: boolean,
  options: MatmulOptions,
): Promise<boolean> =>
  agrees(
    device,
    pack === 4,
    ({ batch, m, n, k }) => [
      options.transposeA ? [batch, k, m] : [batch, m, k],
      options.transposeB ? [batch, n, k] : [batch, k, n],
    ],
    (a, b, bias, trusted) =>
      matmulForward(
        a,
        b,
        { bias, activation: activated ? "leakyRelu" : null },
        options,
        trusted ? fixed : SUBGROUP_MATRICES,
      ),
  );

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
