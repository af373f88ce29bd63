import module from "../../shaders/feature_block_paste.wgsl";
import type { Device } from "../runtime/device.ts";
import { OptionError, shapeError } from "../runtime/errors.ts";
import { empty, fromArray, release, type Tensor } from "../tensor/tensor.ts";
import { choiceOf, requireWhole } from "../runtime/options.ts";
import { gaussianBlurForward } from "./gaussian_blur.ts";
import { floatDType, requireDType, requireOneDevice, requireShape } from "./launch.ts";
import { launchDraw, requireDraw, type Draw } from "./random.ts";

export const WALKS = ["code", "paper"] as const;
export const PASTE_DIRECTIONS = ["equal", "random", "differences"] as const; // indexed by the override DIRECTION
export const PASTE_SIGNS = ["none", "block", "channel", "cell"] as const; // indexed by the override SIGNS
export const PASTE_SOURCES = ["images", "places"] as const;
export const PASTE_DRAWS = ["image", "batch"] as const;

/** Options of feature-block pasting: the blocks' shape, place and contents. */
export interface FeatureBlockOptions {
  /**
   * Random walk. "code": `steps` steps to one of 4 neighbours. "paper": a uniform number from `steps` to 2 * `steps`,
   * each to one of 8 neighbours or none.
   */
  readonly walk: (typeof WALKS)[number];
  readonly steps: number;
  /** Half side of the walk's window, floor(U(0.5, maxHalfSide)), in cells. */
  readonly maxHalfSide: number;
  /**
   * Region for block centres (left, top, right, bottom), as shares of the map's sides; reduced so that the window fits.
   */
  readonly region: readonly [left: number, top: number, right: number, bottom: number];
  /** Number of blocks per image. */
  readonly count: number;
  /** "image": each image has its own blocks; "batch": all images of a batch share theirs. */
  readonly per: (typeof PASTE_DRAWS)[number];
  /** Range of a block's intensity, U(low, high), by which the direction is multiplied. */
  readonly intensity: readonly [low: number, high: number];
  /** Standard deviation of the Gaussian that blurs a block's intensity, in cells. */
  readonly blurSigma: number;
  /** Radius of that blur, in cells; 0 for no blur. */
  readonly blurRadius: number;
  /**
   * Direction in feature space, multiplied by the intensity: "equal", 1 in every channel; "random", normal numbers
   * times each channel's standard deviation, partly shared by the whole block; "differences", towards real features
   * from elsewhere, which replace the cell's own at intensity 1.
   */
  readonly direction: (typeof PASTE_DIRECTIONS)[number];
  /** Range of the share of a random direction's variance that a block's cells have in common, U(low, high). */
  readonly shared: readonly [low: number, high: number];
  /**
   * Unit whose sign is flipped at random: "none", the whole "block", each "channel" of a block, or each channel of a
   * "cell".
   */
  readonly signs: (typeof PASTE_SIGNS)[number];
  /** Source of "differences": other "images" of the batch, or other "places" of the same image. */
  readonly source: (typeof PASTE_SOURCES)[number];
}

/** Blocks that were drawn. */
export interface FeatureBlocks {
  /** `[N,H,W]`: 1 at marked cells, 0 elsewhere. */
  readonly mask: Tensor;
  /** `[N,H,W,K]`: each block's intensity at the cells that it marked, 0 elsewhere. */
  readonly weights: Tensor;
}

type MapExtents = readonly [batch: number, height: number, width: number];

const OP = "featureBlockPaste";

/** Limits on what one invocation does in sequence: steps of a walk, blocks of an image, cells of a blur. */
const MOST = { steps: 100_000, count: 1000, blurRadius: 1000 };

/** Draws `count` blocks for each of `batch` images of H x W cells. */
export function drawFeatureBlocks(
  device: Device,
  map: MapExtents,
  draw: Draw,
  options: FeatureBlockOptions,
): FeatureBlocks {
  requireBlocks(OP, map, options);
  requireDraw(OP, device, draw);
  const mask = empty(device, map);
  const weights = empty(device, [...map, options.count]);
  run(draw, "walk", { mask, weights }, [...map, 1], options, map[0]);
  return { mask, weights };
}

/**
 * Pastes blocks into features `[N,H,W,C]`; also returns their mask.
 * @param std `[C]`, standard deviation of each channel; null for 1
 */
export function pasteFeatureBlocks(
  features: Tensor,
  std: Tensor | null,
  draw: Draw,
  options: FeatureBlockOptions,
): { readonly features: Tensor; readonly mask: Tensor } {
  const dtype = floatDType(OP, { features });
  const { device } = features;
  const [batch = 0, height = 0, width = 0, channels = 0] = features.shape;
  if (features.shape.length !== 4) shapeError(OP, "expected features [N,H,W,C]", { features });
  if (std) {
    requireDType(OP, "f32", { std });
    requireShape(OP, "std", [channels], { features, std });
    requireOneDevice(OP, { features, std });
  }
  const { mask, weights } = drawFeatureBlocks(device, [batch, height, width], draw, options);
  const { blurSigma: sigma, blurRadius } = options;
  const blurred = gaussianBlurForward(weights, { size: 2 * blurRadius + 1, sigma, border: "reflect" });
  const scales = std ?? fromArray(device, [channels], new Float32Array(channels).fill(1));
  const output = empty(device, features.shape, dtype);
  const invocations = batch * height * width * Math.ceil(channels / 4);
  run(
    draw,
    "paste",
    { features, blurred, channel_std: scales, output },
    [batch, height, width, channels],
    options,
    invocations,
  );
  for (const used of [weights, blurred, ...(scales === std ? [] : [scales])]) release(used);
  return { features: output, mask };
}

/** Throws OptionError unless such blocks can be drawn on H x W cells. */
export function requireBlocks(op: string, [, height, width]: MapExtents, options: FeatureBlockOptions): void {
  const {
    walk,
    steps,
    maxHalfSide,
    region,
    count,
    per,
    intensity,
    blurSigma,
    blurRadius,
    direction,
    shared,
    signs,
    source,
  } = options;
  const choices = [
    ["walk", WALKS, walk],
    ["per", PASTE_DRAWS, per],
    ["direction", PASTE_DIRECTIONS, direction],
    ["signs", PASTE_SIGNS, signs],
    ["source", PASTE_SOURCES, source],
  ] as const;
  for (const [name, allowed, value] of choices) choiceOf(op, name, allowed, value);
  if (!(maxHalfSide >= 0.5 && 2 * Math.floor(maxHalfSide) + 1 <= Math.min(height, width))) {
    const most = (Math.min(height, width) - 1) / 2;
    throw new OptionError(
      `${op}: expected maxHalfSide from 0.5 to ${most}, got ${maxHalfSide} for ${height}x${width} cells`,
    );
  }
  requireWhole(op, "steps", 0, [steps], MOST.steps);
  requireWhole(op, "count", 1, [count], MOST.count);
  requireWhole(op, "blurRadius", 0, [blurRadius], MOST.blurRadius);
  if (!(intensity.length === 2 && intensity[0] <= intensity[1] && intensity.every(Number.isFinite))) {
    throw new OptionError(`${op}: expected a finite intensity [low, high], got [${intensity.join(",")}]`);
  }
  if (!(shared.length === 2 && shared[0] >= 0 && shared[0] <= shared[1] && shared[1] <= 1)) {
    throw new OptionError(`${op}: expected shared [low, high] from 0 to 1, got [${shared.join(",")}]`);
  }
  const [left, top, right, bottom] = region;
  if (!(region.length === 4 && left >= 0 && left < right && right <= 1 && top >= 0 && top < bottom && bottom <= 1)) {
    const expected = "a region [left, top, right, bottom] of shares from 0 to 1, left < right and top < bottom";
    throw new OptionError(`${op}: expected ${expected}, got [${region.join(",")}]`);
  }
  if (!(blurSigma > 0 && blurSigma < Infinity))
    throw new OptionError(`${op}: expected a finite blurSigma above 0, got ${blurSigma}`);
}

function run(
  draw: Draw,
  entryPoint: string,
  tensors: Readonly<Record<string, Tensor>>,
  [batch, height, width, channels]: readonly [number, number, number, number],
  options: FeatureBlockOptions,
  invocations: number,
): void {
  const { walk, steps, maxHalfSide, region, count, per, intensity, direction, shared, signs, source } = options;
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
      SIGNS: PASTE_SIGNS.indexOf(signs),
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
      shared_low: shared[0],
      shared_high: shared[1],
      left: Math.floor(left * width),
      top: Math.floor(top * height),
      right: Math.ceil(right * width),
      bottom: Math.ceil(bottom * height),
      steps,
    },
    size: { invocations },
  });
}
