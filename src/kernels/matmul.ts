import module from "../../shaders/matmul.wgsl";
import { shapeError } from "../runtime/errors.ts";
import { elementOf, empty, packOf, release, type Shape, type Tensor } from "../tensor/tensor.ts";
import { activationConstants } from "./activation.ts";
import { settleAs } from "./cast.ts";
import type { Epilogue } from "./convolution.ts";
import { floatDType, launch, requireShape } from "./launch.ts";
import { reduceMiddle } from "./reduce.ts";

const ROWS = 8; // of the output, owned by one invocation, as in the shader
const UNIFORM_COLUMNS = 8; // of a workgroup's tile in the form for software adapters, as in the shader
const MIN_DEPTH = 256; // of the summed axis, for one slice
const ENOUGH_TILES = 2048; // to occupy a GPU: with fewer, the sum is cut into slices

/** Which operands come with rows and columns exchanged. */
export interface MatmulOptions {
  /** Whether a is stored as `[G, K, M]`. Default false. */
  readonly transposeA?: boolean;
  /** Whether b is stored as `[G, N, K]`. Default false. */
  readonly transposeB?: boolean;
}

/** `[G,M,K]`, `[G,K,N]`, bias `[N]` -> `[G,M,N]`. The sum is cut into slices only where no activation follows it. */
export function matmulForward(a: Tensor, b: Tensor, { bias = null, activation = null }: Epilogue, options: MatmulOptions): Tensor {
  const { transposeA = false, transposeB = false } = options;
  const { batch, m, n, k } = extentsOf(a, b, bias, transposeA, transposeB);
  const tiles = batch * Math.ceil(m / ROWS) * Math.ceil(n / 4);
  const wanted = activation !== null ? 1 : Math.max(1, Math.min(Math.floor(k / MIN_DEPTH), Math.ceil(ENOUGH_TILES / tiles)));
  const depth = Math.ceil(k / wanted / 4) * 4;
  const slices = Math.max(1, Math.ceil(k / depth));
  const sliced = slices > 1;
  const pack = Math.min(...[a.shape[2]!, b.shape[2]!, n].map(packOf));
  const output = empty(a.device, sliced ? [1] : [batch, m, n], a.dtype);
  const partial = empty(a.device, sliced ? [batch, slices, m, n] : [1]);
  const { software } = a.device.adapter;
  const lanes = Math.min(64, Math.max(8, 2 ** Math.ceil(Math.log2(m / 4))));
  const sizeOf = (rows: number) =>
    software
      ? { workgroups: batch * Math.ceil(rows / 4 / lanes) * Math.ceil(n / UNIFORM_COLUMNS) * slices }
      : { invocations: batch * Math.ceil(rows / ROWS) * Math.ceil(n / 4) * slices };
  launch({
    module,
    entryPoint: software ? "forward_uniform_b" : "forward",
    element: elementOf(a.dtype, pack),
    constants: {
      TRANSPOSE_A: transposeA,
      TRANSPOSE_B: transposeB,
      BIAS: bias !== null,
      SLICED: sliced,
      ...activationConstants("matmul", activation),
      ...(software && { WORKGROUP_SIZE: lanes }),
    },
    tensors: { a, b, bias: bias ?? b, output, partial },
    params: { batch, m, n, k, depth, slices },
    size: sizeOf(m),
    ...(batch === 1 && !transposeA && !sliced && { parts: { param: "m", tensors: ["a", "output"], size: sizeOf } }),
  });
  if (!sliced) {
    release(partial);
    return output;
  }
  const sum = reduceMiddle(partial, { groups: batch, extent: slices, channels: m * n }, [batch, m, n], "sum");
  release(output);
  release(partial);
  return settleAs(sum, a.dtype);
}

function extentsOf(a: Tensor, b: Tensor, bias: Tensor | null, transposeA: boolean, transposeB: boolean) {
  const tensors = bias ? { a, b, bias } : { a, b };
  floatDType("matmul", tensors);
  if (a.shape.length !== 3 || b.shape.length !== 3) shapeError("matmul", "expected a [G,M,K] and b [G,K,N]", tensors);
  const turned = ([g, x, y]: Shape, transposed: boolean): [number, number, number] => (transposed ? [g!, y!, x!] : [g!, x!, y!]);
  const [batch, m, k] = turned(a.shape, transposeA);
  const [batchB, kB, n] = turned(b.shape, transposeB);
  if (batch !== batchB || k !== kB) shapeError("matmul", `expected b ${transposeB ? `[${batch},N,${k}]` : `[${batch},${k},N]`}`, tensors);
  if (bias) requireShape("matmul", "bias", [n], tensors);
  return { batch, m, n, k };
}
