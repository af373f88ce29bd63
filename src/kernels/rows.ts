import layerNormModule from "../../shaders/layer_norm.wgsl";
import productsModule from "../../shaders/row_products.wgsl";
import softmaxModule from "../../shaders/softmax.wgsl";
import type { WgslModule } from "../runtime/wgsl.ts";
import { shapeError } from "../runtime/errors.ts";
import { countOf, elementOf, empty, packOf, release, type Shape, type Tensor } from "../tensor/tensor.ts";
import { floatDType, launch, requireDType, requireOneDevice, requireShape } from "./launch.ts";
import { reduceMiddle } from "./reduce.ts";

const WORKGROUP = 64;
const SLICE_ROWS = 64; // rows in a slice of the gradients of weight and bias

/** A tensor as rows along its last axis. */
interface Rows {
  readonly rows: number;
  readonly channels: number;
  readonly packs: number;
  /** The shape without the last axis. */
  readonly leading: Shape;
}

function rowsOf(op: string, tensors: Readonly<Record<string, Tensor>>): Rows {
  const [input] = Object.values(tensors) as [Tensor];
  floatDType(op, tensors);
  const channels = input.shape.at(-1);
  if (!channels) shapeError(op, "expected a last axis of at least one element", tensors);
  const leading = input.shape.slice(0, -1);
  return { rows: countOf(leading), channels, packs: channels / packOf(channels), leading };
}

function run(
  module: WgslModule,
  entryPoint: string,
  input: Tensor,
  { rows, channels, packs }: Rows,
  tensors: Record<string, Tensor>,
  params: Record<string, number> = {},
  constants: Record<string, boolean> = {},
): void {
  const lanes = Math.min(WORKGROUP, 2 ** Math.ceil(Math.log2(packs)));
  launch({
    module,
    entryPoint,
    element: elementOf(input.dtype, channels),
    constants: { LANES: lanes, WORKGROUP_SIZE: WORKGROUP, ...constants },
    tensors,
    params: { rows, packs, ...params },
    size: workgroupsOf(rows, lanes),
    parts: { param: "rows", tensors: BY_ROW, size: (parts) => workgroupsOf(parts, lanes) },
  });
}

/** Enough workgroups for all lanes: several rows may share one, and the last may be partly empty. */
const workgroupsOf = (rows: number, lanes: number) => ({ workgroups: Math.ceil((rows * lanes) / WORKGROUP) });

// Rows are independent of each other.
const BY_ROW = [
  "input",
  "result",
  "grad_output",
  "output",
  "grad_input",
  "a",
  "b",
  "grad_rows",
  "rows_output",
  "grad_a",
  "grad_b",
  "row_statistics",
];

/** Softmax along the last axis, of the input's shape. */
export function softmaxForward(input: Tensor): Tensor {
  const rows = rowsOf("softmax", { input });
  const output = empty(input.device, input.shape, input.dtype);
  run(softmaxModule, "forward", input, rows, { input, output });
  return output;
}

/** d loss / d input, given the result of `softmaxForward`. */
export function softmaxBackwardInput(result: Tensor, gradOutput: Tensor): Tensor {
  const rows = rowsOf("softmax", { result, gradOutput });
  requireShape("softmax", "gradOutput", result.shape, { result, gradOutput });
  const gradInput = empty(result.device, result.shape, result.dtype);
  run(softmaxModule, "backward_input", result, rows, { result, grad_output: gradOutput, grad_input: gradInput });
  return gradInput;
}

/** Layer norm along the last axis, of the input's shape; affine `[2, C]` f32, or null. */
export function layerNormForward(input: Tensor, affine: Tensor | null, eps: number): Tensor {
  const rows = layerRowsOf(input, affine);
  const output = empty(input.device, input.shape, input.dtype);
  const bound = affine ?? empty(input.device, [1]);
  run(
    layerNormModule,
    "forward",
    input,
    rows,
    { input, affine: bound, output },
    { eps, per_slice: 0, slices: 0 },
    { AFFINE: affine !== null },
  );
  if (!affine) release(bound);
  return output;
}

export interface LayerNormGradients {
  readonly gradInput: Tensor;
  /** `[2, C]`, f32; null unless requested. */
  readonly gradAffine: Tensor | null;
}

/** Gradients of input and, if `wantsAffine`, of affine. */
export function layerNormBackward(
  input: Tensor,
  affine: Tensor | null,
  gradOutput: Tensor,
  eps: number,
  wantsAffine: boolean,
): LayerNormGradients {
  const { device } = input;
  const rows = layerRowsOf(input, affine);
  requireShape("layerNorm", "gradOutput", input.shape, { input, gradOutput });
  const gradInput = empty(device, input.shape, input.dtype);
  const statistics = empty(device, [rows.rows, 2]);
  const bound = affine ?? empty(device, [1]);
  const tensors = { input, affine: bound, grad_output: gradOutput, grad_input: gradInput, row_statistics: statistics };
  run(
    layerNormModule,
    "backward_input",
    input,
    rows,
    tensors,
    { eps, per_slice: 0, slices: 0 },
    { AFFINE: affine !== null },
  );
  if (!affine) release(bound);
  if (!wantsAffine) {
    release(statistics);
    return { gradInput, gradAffine: null };
  }
  const { channels, packs } = rows;
  const slices = Math.max(1, Math.ceil(rows.rows / SLICE_ROWS));
  const partial = empty(device, [slices, 2, channels]);
  launch({
    module: layerNormModule,
    entryPoint: "backward_affine",
    element: elementOf(input.dtype, channels),
    tensors: { input, grad_output: gradOutput, statistics, partial },
    params: { rows: rows.rows, packs, eps, per_slice: SLICE_ROWS, slices },
    size: { invocations: slices * packs },
  });
  const gradAffine = reduceMiddle(partial, { groups: 1, extent: slices, channels: 2 * channels }, [2, channels], "sum");
  release(statistics);
  release(partial);
  return { gradInput, gradAffine };
}

function layerRowsOf(input: Tensor, affine: Tensor | null): Rows {
  const rows = rowsOf("layerNorm", { input });
  if (affine) {
    requireDType("layerNorm", "f32", { affine });
    requireShape("layerNorm", "affine", [2, rows.channels], { input, affine });
    requireOneDevice("layerNorm", { input, affine });
  }
  return rows;
}

/** Euclidean norms of rows: `[..., C]` -> `[...]`. */
export function l2NormForward(a: Tensor): Tensor {
  const rows = rowsOf("l2Norm", { input: a });
  const output = empty(a.device, rows.leading, a.dtype);
  run(productsModule, "norm_forward", a, rows, { a, rows_output: output }, { eps: 0 });
  return output;
}

export function l2NormBackward(a: Tensor, gradOutput: Tensor): Tensor {
  const rows = rowsOf("l2Norm", { input: a, gradOutput });
  requireShape("l2Norm", "gradOutput", rows.leading, { input: a, gradOutput });
  const gradA = empty(a.device, a.shape, a.dtype);
  run(productsModule, "norm_backward", a, rows, { a, grad_rows: gradOutput, grad_a: gradA }, { eps: 0 });
  return gradA;
}

/** Rows scaled to norm 1, of the input's shape. */
export function l2NormalizeForward(a: Tensor, eps: number): Tensor {
  const rows = rowsOf("l2Normalize", { input: a });
  const output = empty(a.device, a.shape, a.dtype);
  run(productsModule, "normalize_forward", a, rows, { a, output }, { eps });
  return output;
}

export function l2NormalizeBackward(a: Tensor, gradOutput: Tensor, eps: number): Tensor {
  const rows = rowsOf("l2Normalize", { input: a, gradOutput });
  requireShape("l2Normalize", "gradOutput", a.shape, { input: a, gradOutput });
  const gradA = empty(a.device, a.shape, a.dtype);
  run(productsModule, "normalize_backward", a, rows, { a, grad_output: gradOutput, grad_a: gradA }, { eps });
  return gradA;
}

/** Cosine similarity of rows: `[..., C]`, `[..., C]` -> `[...]`. */
export function cosineForward(a: Tensor, b: Tensor, eps: number): Tensor {
  const rows = rowsOf("cosineSimilarity", { a, b });
  requireShape("cosineSimilarity", "b", a.shape, { a, b });
  const output = empty(a.device, rows.leading, a.dtype);
  run(productsModule, "cosine_forward", a, rows, { a, b, rows_output: output }, { eps });
  return output;
}

export function cosineBackward(
  a: Tensor,
  b: Tensor,
  gradOutput: Tensor,
  eps: number,
): { readonly gradA: Tensor; readonly gradB: Tensor } {
  const rows = rowsOf("cosineSimilarity", { a, b, gradOutput });
  requireShape("cosineSimilarity", "gradOutput", rows.leading, { a, b, gradOutput });
  const [gradA, gradB] = [empty(a.device, a.shape, a.dtype), empty(a.device, a.shape, a.dtype)];
  run(
    productsModule,
    "cosine_backward",
    a,
    rows,
    { a, b, grad_rows: gradOutput, grad_a: gradA, grad_b: gradB },
    { eps },
  );
  return { gradA, gradB };
}
