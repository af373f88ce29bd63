// Float64 definition of Feature Block Paste: the cells that each block marks, and its addition to their features.
import type { FeatureBlockOptions } from "../../src/ops/feature_block_paste.ts";
import * as blur from "./gaussian_blur.ts";
import type { Image } from "./images.ts";
import { normals, philox, unit, type Words } from "./philox.ts";

type Numbers = ArrayLike<number>;

export interface Problem extends Image, FeatureBlockOptions {
  readonly seed: number;
  readonly stream: number;
  readonly step: number;
  /** Standard deviation of each channel; null for 1. */
  readonly std: readonly number[] | null;
}

interface Cell {
  readonly x: number;
  readonly y: number;
}

export interface Block {
  readonly half: number;
  readonly centre: Cell;
  readonly intensity: number;
  /** Marked cells, as y * width + x. */
  readonly cells: ReadonlySet<number>;
  /** Number of steps walked. */
  readonly steps: number;
  readonly sign: number;
  /** Offset of the source image in the batch, and of the source's position. */
  readonly ahead: number;
  readonly shift: Cell;
  /** A normal number for each channel. */
  readonly normal: (channel: number) => number;
  /** A normal number for each channel of a cell. */
  readonly noise: (cell: number, channel: number) => number;
  /** Share of the first of both in their mixture. */
  readonly share: number;
  /** One of many coin flips. */
  readonly coin: (index: number) => number;
}

const FOUR: readonly Cell[] = [
  { x: -1, y: 0 },
  { x: 1, y: 0 },
  { x: 0, y: -1 },
  { x: 0, y: 1 },
];
const NINE: readonly Cell[] = [
  ...FOUR,
  { x: -1, y: -1 },
  { x: 1, y: -1 },
  { x: -1, y: 1 },
  { x: 1, y: 1 },
  { x: 0, y: 0 },
];

/** One of `count` integers from 0, from a random word. */
const whole = (word: number, count: number): number => Math.min(Math.floor(unit(word) * count), count - 1);

/** Block `k` of image `n`. */
export function blockOf(p: Problem, n: number, k: number): Block {
  const draw = (index: number): Words => philox([index, p.per === "batch" ? 0 : n, p.step, p.stream], [p.seed, k]);
  const [size, strength, x, y] = draw(0);
  const [many, turned, share] = draw(0xffffffff);
  const [shiftX, shiftY, image] = draw(0xfffffffe);
  const half = Math.floor(Math.fround(0.5 + (p.maxHalfSide - 0.5) * unit(size)));
  const [left, top, right, bottom] = p.region;
  const along = (word: number, extent: number, from: number, to: number): number => {
    const fits = Array.from({ length: extent - 2 * half }, (_, i) => half + i);
    const wanted = fits.filter((at) => at >= Math.floor(from * extent) && at < Math.ceil(to * extent));
    // if the window fits nowhere in the region
    const nearest = Math.floor(from * extent) < half ? fits[0]! : fits.at(-1)!;
    const choices = wanted.length > 0 ? wanted : [nearest];
    return choices[whole(word, choices.length)]!;
  };
  const centre: Cell = { x: along(x, p.width, left, right), y: along(y, p.height, top, bottom) };
  const steps = p.walk === "paper" ? p.steps + whole(many, p.steps + 1) : p.steps;
  const cells = new Set<number>();
  let [dx, dy] = [0, 0];
  for (let i = 0; i < steps; i++) {
    const to =
      p.walk === "paper"
        ? NINE[whole(draw(1 + Math.floor(i / 4))[i % 4]!, 9)]!
        : FOUR[Math.floor(draw(1 + Math.floor(i / 64))[Math.floor(i / 16) % 4]! / 4 ** (i % 16)) % 4]!;
    [dx, dy] = [dx + to.x, dy + to.y];
    if (Math.abs(dx) <= half && Math.abs(dy) <= half) cells.add((centre.y + dy) * p.width + centre.x + dx);
  }
  const sided = (bit: number): number => (bit % 2 === 1 ? 1 : -1);
  return {
    half,
    centre,
    cells,
    steps,
    intensity: p.intensity[0] + (p.intensity[1] - p.intensity[0]) * unit(strength),
    sign: sided(turned),
    ahead: 1 + whole(image, Math.max(p.batch, 2) - 1),
    shift: { x: whole(shiftX, p.width), y: whole(shiftY, p.height) },
    normal: (channel) => normals(draw(0x80000000 + Math.floor(channel / 4)))[channel % 4]!,
    noise: (cell, channel) =>
      normals(draw(0xa0000000 + cell * Math.ceil(p.channels / 4) + Math.floor(channel / 4)))[channel % 4]!,
    share: p.shared[0] + (p.shared[1] - p.shared[0]) * unit(share),
    coin: (index) =>
      sided(Math.floor(draw(0xc0000000 + Math.floor(index / 128))[Math.floor(index / 32) % 4]! / 2 ** (index % 32))),
  };
}

export const blocksOf = (p: Problem): readonly (readonly Block[])[] =>
  Array.from({ length: p.batch }, (_, n) => Array.from({ length: p.count }, (_, k) => blockOf(p, n, k)));

/** `[N,H,W]` */
export function maskOf(p: Problem): Float32Array {
  const blocks = blocksOf(p);
  const cells = p.height * p.width;
  return Float32Array.from({ length: p.batch * cells }, (_, i) =>
    blocks[Math.floor(i / cells)]!.some((block) => block.cells.has(i % cells)) ? 1 : 0,
  );
}

/** The addition to each feature, and the scale of its rounding errors. */
function added(p: Problem, features: Numbers): { readonly sum: Float64Array; readonly size: Float64Array } {
  const { batch, height, width, channels, count } = p;
  const blocks = blocksOf(p);
  const cells = height * width;
  const marked = Float64Array.from({ length: batch * cells * count }, (_, i) => {
    const block = blocks[Math.floor(i / count / cells)]![i % count]!;
    return block.cells.has(Math.floor(i / count) % cells) ? block.intensity : 0;
  });
  const weights = blur.forward(
    { batch, height, width, channels: count, size: 2 * p.blurRadius + 1, sigma: p.blurSigma, border: "reflect" },
    marked,
  );
  const [sum, size] = [new Float64Array(features.length), new Float64Array(features.length)];
  for (let i = 0; i < features.length; i++) {
    const [c, at] = [i % channels, Math.floor(i / channels)];
    const [n, y, x] = [Math.floor(at / cells), Math.floor((at % cells) / width), at % width];
    blocks[n]!.forEach((block, k) => {
      const [direction, length] = directionOf(p, block, features, { n, x, y, c });
      sum[i]! += weights[at * count + k]! * direction * signOf(p, block, i % (cells * channels), c);
      size[i]! += Math.abs(weights[at * count + k]!) * length;
    });
  }
  return { sum, size };
}

function signOf({ signs }: Problem, { sign, coin }: Block, index: number, channel: number): number {
  return { none: 1, block: sign, channel: coin(channel), cell: coin(index) }[signs];
}

type Place = Cell & { readonly n: number; readonly c: number };

function directionOf(
  p: Problem,
  block: Block,
  features: Numbers,
  { n, x, y, c }: Place,
): [direction: number, size: number] {
  const std = p.std?.[c] ?? 1;
  switch (p.direction) {
    case "equal":
      return [1, 1];
    case "random": {
      const { share, normal, noise } = block; // the radii of Box-Muller are below 6
      return [std * (Math.sqrt(share) * normal(c) + Math.sqrt(1 - share) * noise(y * p.width + x, c)), 9 * std];
    }
    case "differences": {
      const at = (image: number, row: number, column: number): number =>
        features[((image * p.height + row) * p.width + column) * p.channels + c]!;
      const image = p.source === "places" ? n : (n + block.ahead) % p.batch;
      const [here, there] = [at(n, y, x), at(image, (y + block.shift.y) % p.height, (x + block.shift.x) % p.width)];
      return [there - here, Math.abs(there) + Math.abs(here)];
    }
  }
}

export const forward = (p: Problem, features: Numbers): Float64Array =>
  added(p, features).sum.map((x, i) => x + features[i]!);

/** The scale at which rounding errors arise. */
export const magnitudes = (p: Problem, features: Numbers): Float64Array =>
  added(p, features).size.map((x, i) => x + Math.abs(features[i]!));
