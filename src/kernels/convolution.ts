import { OptionError } from "../runtime/errors.ts";
import { pairOf, type Pair } from "./launch.ts";

/** Zeros around the image: one number, `[h, w]`, or `[top, bottom, left, right]`. */
export type Padding = Pair | readonly [top: number, bottom: number, left: number, right: number];

export interface ConvolutionOptions {
  /** Default 1. */
  readonly stride?: Pair;
  /** Default 0. */
  readonly padding?: Padding;
  /** Distance between filter taps. Default 1. */
  readonly dilation?: Pair;
}

/** What both convolutions derive from their options: the parameters that their shaders share. */
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

/** The only place where a convolution's output extent is derived. Throws OptionError where no output is left. */
export function geometryOf(op: string, [height, width]: Pair & object, [filterH, filterW]: Pair & object, options: ConvolutionOptions): Geometry {
  const [stride_h, stride_w] = pairOf(options.stride ?? 1);
  const [dilation_h, dilation_w] = pairOf(options.dilation ?? 1);
  const [pad_top, padBottom, pad_left, padRight] = paddingOf(options.padding ?? 0);
  requireWhole(op, "stride", 1, [stride_h, stride_w]);
  requireWhole(op, "dilation", 1, [dilation_h, dilation_w]);
  requireWhole(op, "padding", 0, [pad_top, padBottom, pad_left, padRight]);
  const extent = (size: number, pad: number, taps: number, dilation: number, stride: number) =>
    Math.floor((size + pad - dilation * (taps - 1) - 1) / stride) + 1;
  const out_height = extent(height, pad_top + padBottom, filterH, dilation_h, stride_h);
  const out_width = extent(width, pad_left + padRight, filterW, dilation_w, stride_w);
  if (!(out_height > 0 && out_width > 0)) {
    throw new OptionError(`${op}: a ${filterH}x${filterW} window does not fit the padded ${height}x${width} image; use more padding`);
  }
  return { out_height, out_width, stride_h, stride_w, pad_top, pad_left, dilation_h, dilation_w };
}

function paddingOf(padding: Padding): readonly [number, number, number, number] {
  if (typeof padding !== "number" && padding.length === 4) return padding;
  const [h, w] = pairOf(padding);
  return [h, h, w, w];
}

function requireWhole(op: string, name: string, least: number, values: readonly number[]): void {
  if (!values.every((value) => Number.isInteger(value) && value >= least)) {
    throw new OptionError(`${op}: expected ${name} to be whole numbers of at least ${least}, got ${values.join(",")}`);
  }
}
