import { OptionError, ShapeError } from "../runtime/errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Activation } from "./activation.ts";
import { pairOf, type Pair } from "./launch.ts";
import { requireWhole } from "../runtime/options.ts";

/**
 * Zeros around the image: one number, `[h, w]`, `[top, bottom, left, right]`, or "same", which makes the output
 * ceil(extent / stride) and puts an odd zero below and right, as TensorFlow does.
 */
export type Padding = Pair | readonly [top: number, bottom: number, left: number, right: number] | "same";

/** Geometry options that all convolutions share. */
export interface ConvolutionOptions {
  /** Default 1. */
  readonly stride?: Pair;
  /** Default 0. */
  readonly padding?: Padding;
  /** Distance between weight taps, in pixels. Default 1. */
  readonly dilation?: Pair;
}

/** Work that a kernel does on its sums before it stores them. */
export interface Epilogue {
  /** `[K]`, added to each position; the input's dtype. Default: none. */
  readonly bias?: Tensor | null;
  /** Applied last. Default: none. */
  readonly activation?: Activation | null;
}

/** Adds nothing, applies nothing. */
export const NO_EPILOGUE: Required<Epilogue> = { bias: null, activation: null };

/** Parameters that both convolutions derive from their options and pass to their shaders. */
export interface Geometry {
  readonly out_height: number;
  readonly out_width: number;
  readonly stride_h: number;
  readonly stride_w: number;
  readonly pad_top: number;
  readonly pad_left: number;
  readonly dilation_h: number;
  readonly dilation_w: number;
}

/**
 * The only place where a convolution's output extent is derived.
 * @throws ShapeError for an empty window, OptionError if the output would be empty
 */
export function geometryOf(
  op: string,
  [height, width]: Pair & object,
  [filterH, filterW]: Pair & object,
  options: ConvolutionOptions,
): Geometry {
  if (!(filterH > 0 && filterW > 0))
    throw new ShapeError(`${op}: expected a window of at least 1x1, got ${filterH}x${filterW}`);
  const [stride_h, stride_w] = pairOf(options.stride ?? 1);
  const [dilation_h, dilation_w] = pairOf(options.dilation ?? 1);
  requireWhole(op, "stride", 1, [stride_h, stride_w]);
  requireWhole(op, "dilation", 1, [dilation_h, dilation_w]);
  const [pad_top, padBottom, pad_left, padRight] =
    options.padding === "same"
      ? ([
          ...samePadding(height, filterH, dilation_h, stride_h),
          ...samePadding(width, filterW, dilation_w, stride_w),
        ] as const)
      : paddingOf(options.padding ?? 0);
  requireWhole(op, "padding", 0, [pad_top, padBottom, pad_left, padRight]);
  const extent = (size: number, pad: number, taps: number, dilation: number, stride: number) =>
    Math.floor((size + pad - dilation * (taps - 1) - 1) / stride) + 1;
  const out_height = extent(height, pad_top + padBottom, filterH, dilation_h, stride_h);
  const out_width = extent(width, pad_left + padRight, filterW, dilation_w, stride_w);
  if (!(out_height > 0 && out_width > 0)) {
    throw new OptionError(
      `${op}: a ${filterH}x${filterW} window does not fit the padded ${height}x${width} image; use more padding`,
    );
  }
  return { out_height, out_width, stride_h, stride_w, pad_top, pad_left, dilation_h, dilation_w };
}

function samePadding(
  extent: number,
  taps: number,
  dilation: number,
  stride: number,
): readonly [before: number, after: number] {
  const total = Math.max(0, (Math.ceil(extent / stride) - 1) * stride + dilation * (taps - 1) + 1 - extent);
  return [Math.floor(total / 2), Math.ceil(total / 2)];
}

function paddingOf(padding: Exclude<Padding, "same">): readonly [number, number, number, number] {
  if (typeof padding !== "number" && padding.length === 4) return padding;
  const [h, w] = pairOf(padding);
  return [h, h, w, w];
}
