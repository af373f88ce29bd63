import module from "../../shaders/feature_block_paste.wgsl";
import type { Device } from "../runtime/device.ts";
import { OptionError, shapeError } from "../runtime/errors.ts";
import { empty, fromArray, release, type Tensor } from "../tensor/tensor.ts";
import { choiceOf, requireWhole } from "../runtime/options.ts";
import { gaussianBlurForward } from "./gaussian_blur.ts";
import { floatDType, requireDType, requireOneDevice, requireShape } from "./launch.ts";
import { launchDraw, requireDraw, type Draw } from "./random.ts";

export const WALKS = ["code", "paper"] as const;
export const PASTE_DIRECTIONS = ["equal", "signs", "channels", "differences", "difference signs"] as const; // by the values of the override DIRECTION
export const PASTE_SOURCES = ["images", "places"] as const;
export const PASTE_DRAWS = ["image", "batch"] as const;

export interface FeatureBlockOptions {
  /** "code": that many steps to one of 4 neighbours. "paper": a number uniform from that many to twice as many, to one of 8 or none. */
  readonly walk: (typeof WALKS)[number];
  readonly steps: number;
  /** Half side of the walk's window is floor(U(0.5, maxHalfSide)), in cells. */
  readonly maxHalfSide: number;
  /** Where centres may lie, as shares of the map's sides, as far as the window fits in: left, top, right, bottom. */
  readonly region: readonly [left: number, top: number, right: number, bottom: number];
  /** Blocks of an image. */
  readonly count: number;
  /** Whether each "image" has blocks of its own, or all of a "batch" the same. */
  readonly per: (typeof PASTE_DRAWS)[number];
  /** Intensity is U(low, high): what the direction is multiplied with, in units of the features but for "differences". */
  readonly intensity: readonly [low: number, high: number];
  /** Of the Gaussian that spreads a block's intensity, in cells. */
  readonly blurSigma: number;
  /** Cells on each side that it reaches; 0 for no blur. */
  readonly blurRadius: number;
  /**
   * In feature space, what a block adds: "equal", the same to every channel; "signs", the same or its opposite, by one coin a block;
   * "channels", a vector drawn for the block, normal per channel, times the channel's deviation; "differences" to other features: at
   * intensity 1 their place is taken; "difference signs", those differences' signs.
   */
  readonly direction: (typeof PASTE_DIRECTIONS)[number];
  /** Where those other features lie: in other "images" of the batch, or in other "places" of the same. */
  readonly source: (typeof PASTE_SOURCES)[number];
}

/** What blocks do, before it is done. */
export interface FeatureBlocks {
  /** `[N,H,W]`: 1 at marked cells, 0 elsewhere. */
  readonly mask: Tensor;
  /** `[N,H,W,K]`: each block's intensity at its marked cells, 0 elsewhere. */
  readonly weights: Tensor;
}

type Map = readonly [batch: number, height: number, width: number];

/** `count` blocks for each of `batch` images of H x W cells. */
export function drawFeatureBlocks(device: Device, [batch, height, width]: Map, draw: Draw, options: FeatureBlockOptions): FeatureBlocks {
  requireBlocks("featureBlockPaste", [batch, height, width], options);
  requireDraw("featureBlockPaste", device, draw);
  const mask = empty(device, [batch, height, width]);
  const weights = empty(device, [batch, height, width, options.count]);
  run(draw, "walk", { mask, weights }, [batch, height, width, 1], options, batch);
  return { mask, weights };
}

/**
 * Features `[N,H,W,C]` with blocks pasted.
 * @param deviations `[C]`, of each channel; null for 1
 */
export function pasteFeatureBlocks(features: Tensor, deviations: Tensor | null, draw: Draw, options: FeatureBlockOptions): { readonly features: Tensor; readonly mask: Tensor } {
  const op = "featureBlockPaste";
  const dtype = floatDType(op, { features });
  const [batch = 0, height = 0, width = 0, channels = 0] = features.shape;
  if (features.shape.length !== 4) shapeError(op, "expected features [N,H,W,C]", { features });
  if (deviations) {
    requireDType(op, "f32", { deviations });
    requireShape(op, "deviations", [channels], { features, deviations });
    requireOneDevice(op, { features, deviations });
  }
  const { device } = features;
  const { mask, weights } = drawFeatureBlocks(device, [batch, height, width], draw, options);
  const { blurSigma: sigma, blurRadius } = options;
  const blurred = gaussianBlurForward(weights, { size: 2 * blurRadius + 1, sigma, border: "reflect" });
  const scales = deviations ?? fromArray(device, [channels], new Float32Array(channels).fill(1));
  const output = empty(device, features.shape, dtype);
  const invocations = batch * height * width * Math.ceil(channels / 4);
  run(draw, "paste", { features, blurred, deviations: scales, output }, [batch, height, width, channels], options, invocations);
  for (const used of [weights, blurred, ...(scales === deviations ? [] : [scales])]) release(used);
  return { features: output, mask };
}

/** Throws OptionError unless blocks can be drawn so on H x W cells. */
export function requireBlocks(op: string, [, height, width]: Map, options: FeatureBlockOptions): void {
  const { walk, steps, maxHalfSide, region, count, per, intensity, blurSigma, blurRadius, direction, source } = options;
  const choices = [["walk", WALKS, walk], ["per", PASTE_DRAWS, per], ["direction", PASTE_DIRECTIONS, direction], ["source", PASTE_SOURCES, source]] as const;
  for (const [name, allowed, value] of choices) choiceOf(op, name, allowed, value);
  if (!(maxHalfSide >= 0.5 && 2 * Math.floor(maxHalfSide) + 1 <= Math.min(height, width))) {
    throw new OptionError(`${op}: expected maxHalfSide from 0.5 to ${(Math.min(height, width) - 1) / 2}, got ${maxHalfSide} for ${height}x${width} cells`);
  }
  requireWhole(op, "steps", 0, [steps]);
  requireWhole(op, "count", 1, [count]);
  requireWhole(op, "blurRadius", 0, [blurRadius]);
  if (!(intensity.length === 2 && intensity[0] <= intensity[1] && intensity.every(Number.isFinite))) {
    throw new OptionError(`${op}: expected a finite intensity [low, high], got [${intensity.join(",")}]`);
  }
  const [left, top, right, bottom] = region;
  if (!(region.length === 4 && left >= 0 && left < right && right <= 1 && top >= 0 && top < bottom && bottom <= 1)) {
    throw new OptionError(`${op}: expected a region [left, top, right, bottom] of shares from 0 to 1, left < right and top < bottom, got [${region.join(",")}]`);
  }
  if (!(blurSigma > 0 && blurSigma < Infinity)) throw new OptionError(`${op}: expected a finite blurSigma above 0, got ${blurSigma}`);
}

function run(
  draw: Draw,
  entryPoint: string,
  tensors: Readonly<Record<string, Tensor>>,
  [batch, height, width, channels]: readonly [number, number, number, number],
  options: FeatureBlockOptions,
  invocations: number,
): void {
  const { walk, steps, maxHalfSide, region, count, per, intensity, direction, source } = options;
  const [left, top, right, bottom] = region;
  const { dtype } = tensors["features"] ?? { dtype: "f32" };
  launchDraw(draw, {
    module,
    entryPoint,
    element: dtype,
    constants: {
      PAPER_WALK: walk === "paper",
      PER_BATCH: per === "batch",
      DIRECTION: PASTE_DIRECTIONS.indexOf(direction),
      SAME_IMAGE: source === "places",
    },
    tensors,
    params: {
      batch,
      height,
      width,
      channels,
      blocks: count,
      half_max: maxHalfSide,
      intensity_low: intensity[0],
      intensity_high: intensity[1],
      left: Math.floor(left * width),
      top: Math.floor(top * height),
      right: Math.ceil(right * width),
      bottom: Math.ceil(bottom * height),
      steps,
    },
    size: { invocations },
  });
}
