import module from "../../shaders/resize.wgsl";
import { OptionError, shapeError } from "../runtime/errors.ts";
import { elementOf, empty, packOf, release, type Shape, type Tensor } from "../tensor/tensor.ts";
import { axisOf } from "./axis.ts";
import { floatDType, launch, requireShape } from "./launch.ts";
import { choiceOf } from "../runtime/options.ts";

const MODES = ["nearest", "bilinear"] as const; // indexed by the override FILTER
const ANTIALIASED = MODES.length;
const MOST_TICKS = 2 ** 29; // keeps four times the product of two extents within an i32

/** Interpolation of a resized image. */
export interface ResizeOptions {
  /** Default "bilinear". */
  readonly mode?: (typeof MODES)[number];
  /** True: corner pixels keep their place. False: the image's edges do. Default false, as in PyTorch. */
  readonly alignCorners?: boolean;
  /**
   * True if the filter widens as the image shrinks, so that every pixel counts. Only for "bilinear" without
   * alignCorners. Default false.
   */
  readonly antialias?: boolean;
}

/** Height and width, in pixels. */
export type Size = readonly [height: number, width: number];

/** `[N,H,W,C]` -> `[N,P,Q,C]`. */
export function resizeForward(input: Tensor, size: Size, options: Required<ResizeOptions>): Tensor {
  let current = input;
  for (const { filter, extent, axis } of passesOf({ input }, size, options)) {
    const { outer, inner, extent: from } = axisOf(current.shape, axis);
    const output = empty(input.device, current.shape.with(axis, extent), input.dtype);
    run("forward", { input: current, output }, outer, inner, filter, ticksOf(filter, from, extent, options));
    if (current !== input) release(current);
    current = output;
  }
  return current;
}

/** d loss / d input, `[N,H,W,C]`: the transpose of every pass, last to first. */
export function resizeBackwardInput(
  input: Tensor,
  gradOutput: Tensor,
  size: Size,
  options: Required<ResizeOptions>,
): Tensor {
  const passes = passesOf({ input, gradOutput }, size, options);
  let current = gradOutput;
  for (const { filter, axis } of passes.toReversed()) {
    const { outer, inner, extent } = axisOf(current.shape, axis);
    const from = input.shape[axis]!;
    const gradInput = empty(input.device, current.shape.with(axis, from), input.dtype);
    run(
      "backward_input",
      { grad_output: current, grad_input: gradInput },
      outer,
      inner,
      filter,
      ticksOf(filter, from, extent, options),
    );
    if (current !== gradOutput) release(current);
    current = gradInput;
  }
  return current;
}

interface Operands extends Record<string, Tensor> {
  readonly input: Tensor;
}

interface Pass {
  readonly axis: number;
  readonly extent: number;
  readonly filter: number;
}

/**
 * The axes whose extent changes, in the order that needs fewest products; every filter leaves an axis of unchanged
 * extent as it is.
 */
function passesOf(
  tensors: Operands,
  size: Size,
  { mode, alignCorners, antialias }: Required<ResizeOptions>,
): readonly Pass[] {
  const { input } = tensors;
  floatDType("resize", tensors);
  const [batch = 0, height = 0, width = 0, channels = 0] = input.shape;
  if (input.shape.length !== 4 || height * width === 0)
    shapeError("resize", "expected input [N,H,W,C] with H, W > 0", tensors);
  if (size.length !== 2 || !size.every((extent) => Number.isInteger(extent) && extent > 0)) {
    throw new OptionError(`resize: expected whole, positive extents, got ${size.join("x")}`);
  }
  const choice = choiceOf("resize", "mode", MODES, mode);
  if (antialias && (mode !== "bilinear" || alignCorners)) {
    throw new OptionError(
      `resize: antialias is for mode bilinear with alignCorners false, got ${mode} and ${alignCorners}`,
    );
  }
  if (tensors["gradOutput"]) requireShape("resize", "gradOutput", [batch, ...size, channels], tensors);
  const filter = antialias ? ANTIALIASED : choice;
  const [rows, columns] = size.map((extent, i) => ({ axis: i + 1, extent, filter })) as [Pass, Pass];
  if (rows.extent === height) return [columns]; // a copy if the width is unchanged too
  if (columns.extent === width) return [rows];
  const products = (first: Pass, second: Pass) => {
    const shape = input.shape.with(first.axis, first.extent);
    return (
      elements(shape) * tapsOf(first, input.shape) +
      elements(shape.with(second.axis, second.extent)) * tapsOf(second, input.shape)
    );
  };
  return products(rows, columns) <= products(columns, rows) ? [rows, columns] : [columns, rows];
}

const elements = ([, height = 0, width = 0]: Shape): number => height * width;

/** Number of nonzero weights for each output element. */
const tapsOf = ({ axis, extent, filter }: Pass, shape: Shape): number =>
  filter === ANTIALIASED ? 2 * Math.max(shape[axis]! / extent, 1) : filter + 1;

/** Positions along an axis in integer ticks, see resize.wgsl. */
function ticksOf(filter: number, extent: number, out_extent: number, { alignCorners }: Required<ResizeOptions>) {
  if (extent * out_extent >= MOST_TICKS) {
    const got = `got ${extent} to ${out_extent}`;
    throw new OptionError(`resize: expected extents with a product below ${MOST_TICKS}, ${got}; resize in two steps`);
  }
  // An image of one pixel has no corners to tell apart, and its position does not matter: every filter reads that
  // pixel.
  const aligned = alignCorners && extent > 1;
  const gaps = Math.max(out_extent - 1, 1);
  if (MODES[filter] === "nearest") {
    // Half an element is added before the division that rounds down, so positions with alignCorners need ticks of half
    // the size.
    const [step, offset, unit] = aligned ? [2 * (extent - 1), out_extent - 1, 2 * gaps] : [extent, 0, out_extent];
    return { extent, out_extent, step, offset, unit, reach: unit };
  }
  if (aligned) return { extent, out_extent, step: extent - 1, offset: 0, unit: gaps, reach: gaps };
  const [step, unit] = [2 * extent, 2 * out_extent];
  return {
    extent,
    out_extent,
    step,
    offset: extent - out_extent,
    unit,
    reach: filter === ANTIALIASED ? Math.max(step, unit) : unit,
  };
}

function run(
  entryPoint: "forward" | "backward_input",
  tensors: Readonly<Record<string, Tensor>>,
  outer: number,
  inner: number,
  filter: number,
  ticks: ReturnType<typeof ticksOf>,
): void {
  const { dtype } = Object.values(tensors)[0]!;
  const packs = inner / packOf(inner);
  const owned = entryPoint === "forward" ? ticks.out_extent : ticks.extent;
  launch({
    module,
    entryPoint,
    element: elementOf(dtype, inner),
    constants: { FILTER: filter },
    tensors,
    params: { outer, packs, ...ticks },
    size: { invocations: outer * owned * packs },
    parts: { param: "outer", tensors: Object.keys(tensors) },
  });
}
