import module from "../../shaders/matmul.wgsl";
import { shapeError } from "../runtime/errors.ts";
import { empty, viewOf, type Shape, type Tensor } from "../tensor/tensor.ts";
import { launch, requireDType, requireShape } from "./launch.ts";
import { reduceMiddle } from "./reduce.ts";

const ROWS = 8; // of the output, owned by one invocation, as in the shader
const UNIFORM_COLUMNS = 16; // of a workgroup's tile in the form for software adapters, as in the shader
const MIN_DEPTH = 256; // of the summed axis, for one slice
const ENOUGH_TILES = 2048; // to occupy a GPU: with fewer, the sum is cut into slices

export interface MatmulOptions {
  /** Whether a is stored as `[G, K, M]`. Default false. */
  readonly transposeA?: boolean;
  /** Whether b is stored as `[G, N, K]`. Default false. */
  readonly transposeB?: boolean;
}

/** `[G,M,K]`, `[G,K,N]`, bias `[N]` or null -> `[G,M,N]`. */
export function matmulForward(a: Tensor, b: Tensor, bias: Tensor | null, { transposeA = false, transposeB = false }: MatmulOptions): Tensor {
  const { batch, m, n, k } = extentsOf(a, b, bias, transposeA, transposeB);
  const tiles = batch * Math.ceil(m / ROWS) * Math.ceil(n / 4);
  const wanted = Math.max(1, Math.min(Math.floor(k / MIN_DEPTH), Math.ceil(ENOUGH_TILES / tiles)));
  const depth = Math.ceil(k / wanted / 4) * 4;
  const slices = Math.max(1, Math.ceil(k / depth));
  const packed = [a.shape[2]!, b.shape[2]!, n].every((extent) => extent % 4 === 0);
  const output = empty(a.device, [batch, slices, m, n]);
  const { software } = a.device.adapter;
  const lanes = Math.min(64, Math.max(8, 2 ** Math.ceil(Math.log2(m / 4))));
  const uniformTiles = batch * Math.ceil(m / 4 / lanes) * Math.ceil(n / UNIFORM_COLUMNS);
  launch({
    module,
    entryPoint: software ? "forward_uniform_b" : "forward",
    element: packed ? "f32x4" : "f32",
    constants: { TRANSPOSE_A: transposeA, TRANSPOSE_B: transposeB, BIAS: bias !== null, ...(software && { WORKGROUP_SIZE: lanes }) },
    tensors: { a, b, bias: bias ?? b, output },
    params: { batch, m, n, k, depth, slices },
    size: software ? { workgroups: uniformTiles * slices } : { invocations: tiles * slices },
  });
  const shape = [batch, m, n];
  if (slices === 1) return viewOf(output, shape);
  const sum = reduceMiddle(output, { groups: batch, extent: slices, channels: m * n }, shape, "sum");
  a.device.release(output.allocation);
  return sum;
}

function extentsOf(a: Tensor, b: Tensor, bias: Tensor | null, transposeA: boolean, transposeB: boolean) {
  const tensors = bias ? { a, b, bias } : { a, b };
  requireDType("matmul", "f32", tensors);
  if (a.shape.length !== 3 || b.shape.length !== 3) shapeError("matmul", "expected a [G,M,K] and b [G,K,N]", tensors);
  const turned = ([g, x, y]: Shape, transposed: boolean): [number, number, number] => (transposed ? [g!, y!, x!] : [g!, x!, y!]);
  const [batch, m, k] = turned(a.shape, transposeA);
  const [batchB, kB, n] = turned(b.shape, transposeB);
  if (batch !== batchB || k !== kB) shapeError("matmul", `expected b ${transposeB ? `[${batch},N,${k}]` : `[${batch},${k},N]`}`, tensors);
  if (bias) requireShape("matmul", "bias", [n], tensors);
  return { batch, m, n, k };
}
