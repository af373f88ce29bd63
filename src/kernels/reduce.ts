import module from "../../shaders/reduce.wgsl";
import {
  countOf,
  elementOf,
  empty,
  packOf,
  release,
  viewOf,
  zeros,
  type Shape,
  type Tensor,
} from "../tensor/tensor.ts";
import { settleAs } from "./cast.ts";
import { floatDType, launch } from "./launch.ts";

const REDUCTIONS = ["sum", "max", "min"] as const;
const ROWS = 128; // rows in a slice: enough to be worth an invocation, few enough for many invocations

/** A tensor seen as [groups, extent, channels]: elements before, along and behind the reduced axes. */
export interface Middle {
  readonly groups: number;
  readonly extent: number;
  readonly channels: number;
}

export type Reduction = (typeof REDUCTIONS)[number];

/**
 * Sums, maxima or minima over the middle axis, times `scale`; a tensor of `shape` with groups * channels elements, of
 * the input's dtype.
 */
export function reduceMiddle(
  input: Tensor,
  { groups, extent, channels }: Middle,
  shape: Shape,
  reduction: Reduction,
  scale = 1,
): Tensor {
  // the kernel starts from a first row
  if (extent === 0 && reduction === "sum") return zeros(input.device, shape, input.dtype);
  let current = input;
  for (let rows = extent; rows > 1 || current === input;) {
    const slices = slicesOf(rows);
    const output = empty(input.device, [groups, slices, channels]);
    launchReduce(
      "reduce",
      { input: current, output },
      { groups, extent: rows, channels },
      slices,
      slices === 1 ? scale : 1,
      reduction,
    );
    if (current !== input) release(current);
    current = output;
    rows = slices;
  }
  return viewOf(settleAs(current, input.dtype), shape);
}

/** `[..., M]` -> `[...]`, u32: position of each row's maximum, counted over the whole tensor. M is at least 1. */
export function maxPositionsForward(input: Tensor): Tensor {
  const { device, shape } = input;
  const output = empty(device, shape.slice(0, -1), "u32");
  const groups = countOf(output.shape);
  launch({
    module,
    entryPoint: "max_positions",
    element: elementOf(input.dtype, 1),
    tensors: { input, places: output },
    params: { groups, extent: shape.at(-1)!, packs: 1, rows: ROWS, slices: 1, scale: 1 },
    size: { invocations: groups },
  });
  return output;
}

/** The tensor times a number. */
export function scaleForward(input: Tensor, scale: number): Tensor {
  const count = countOf(input.shape);
  return reduceMiddle(input, { groups: 1, extent: 1, channels: count }, input.shape, "sum", scale);
}

/** scale * sum of a * b over the middle axis, f32. */
export function sumProducts(a: Tensor, b: Tensor, middle: Middle, shape: Shape, scale = 1): Tensor {
  floatDType("sumProducts", { a, b });
  const { groups, extent, channels } = middle;
  const slices = slicesOf(extent);
  const output = empty(a.device, [groups, slices, channels]);
  launchReduce("sum_products", { input: a, other: b, output }, middle, slices, slices === 1 ? scale : 1, "sum");
  if (slices === 1) return viewOf(output, shape);
  const sum = reduceMiddle(output, { groups, extent: slices, channels }, shape, "sum", scale);
  release(output);
  return sum;
}

const slicesOf = (extent: number): number => Math.max(1, Math.ceil(extent / ROWS));

function launchReduce(
  entryPoint: string,
  tensors: Readonly<Record<string, Tensor>> & { readonly input: Tensor },
  middle: Middle,
  slices: number,
  scale: number,
  reduction: Reduction,
): void {
  const { groups, extent, channels } = middle;
  const packs = channels / packOf(channels);
  launch({
    module,
    entryPoint,
    element: elementOf(tensors.input.dtype, channels),
    constants: { OP: REDUCTIONS.indexOf(reduction) },
    tensors,
    params: { groups, extent, packs, rows: ROWS, slices, scale },
    size: { invocations: groups * slices * packs },
  });
}
