import { featureBlockPaste, PUBLISHED_BLOCKS, type FeatureBlockOptions } from "../../src/ops/feature_block_paste.ts";
import { fromArray } from "../../src/tensor/tensor.ts";
import { device } from "../harness/device.ts";
import type { Draws } from "../harness/draws.ts";
import type { Operation } from "../harness/operation.ts";
import * as reference from "../reference/feature_block_paste.ts";
import type { Problem } from "../reference/feature_block_paste.ts";

/** Two images of 9 x 8 cells, with the given changes. */
const problem = (p: Partial<Problem>): Problem => ({
  ...PUBLISHED_BLOCKS,
  maxHalfSide: 3.5,
  batch: 2,
  height: 9,
  width: 8,
  channels: 5,
  seed: 3,
  stream: 4,
  step: 9,
  std: null,
  ...p,
});

const optionsOf = (p: Problem): FeatureBlockOptions =>
  Object.fromEntries(
    Object.keys(PUBLISHED_BLOCKS).map((name) => [name, p[name as keyof FeatureBlockOptions]]),
  ) as unknown as FeatureBlockOptions;

type Direction = FeatureBlockOptions["direction"];
const [PLAIN, OTHERS]: readonly [readonly Direction[], readonly Direction[]] = [["equal", "random"], ["differences"]];

function drawn(draws: Draws, directions: readonly Direction[]): Problem {
  const [height, width, channels] = [draws.whole(3, 9), draws.whole(3, 9), draws.channels()];
  const low = draws.pick([-2, 0, 1]);
  return {
    height,
    width,
    channels,
    batch: draws.whole(1, 3),
    seed: draws.whole(0, 2 ** 31),
    stream: draws.whole(0, 20),
    step: draws.whole(0, 1000),
    walk: draws.pick(["code", "paper"] as const),
    steps: draws.pick([0, 1, 17, 100]),
    maxHalfSide: 0.5 + draws.whole(0, Math.floor((Math.min(height, width) - 1) / 2)) / 2,
    region: draws.pick([
      [0, 0, 1, 1],
      [0.25, 0.5, 0.75, 1],
      [0, 0, 0.125, 0.25],
    ] as const),
    count: draws.whole(1, 3),
    per: draws.pick(["image", "batch"] as const),
    intensity: [low, low + draws.pick([0, 1.5])],
    blurSigma: draws.pick([0.8, 2]),
    blurRadius: draws.whole(0, 2),
    direction: draws.pick(directions),
    shared: draws.pick([
      [0, 0],
      [0, 1],
      [0.25, 0.5],
      [1, 1],
    ] as const),
    signs: draws.pick(["none", "block", "channel", "cell"] as const),
    source: draws.pick(["images", "places"] as const),
    std: draws.chance() ? null : Array.from({ length: channels }, () => Math.fround(4 * draws.unit())),
  };
}

const operation = (
  name: string,
  directions: readonly Direction[],
  problems: Operation<Problem>["problems"],
): Operation<Problem> => ({
  name,
  problems,
  draw: (draws) => drawn(draws, directions),
  shapes: ({ batch, height, width, channels }) => [[batch, height, width, channels]],
  run: (p, [features]) => {
    const std = p.std && fromArray(device, [p.channels], Float32Array.from(p.std));
    return featureBlockPaste(features!, { seed: p.seed, stream: p.stream, step: p.step }, { ...optionsOf(p), std })
      .features;
  },
  forward: (p, [features]) => reference.forward(p, features!),
  backward: (_p, _inputs, gradOutput) => [gradOutput],
  magnitudes: (p, [features], gradOutput) => ({
    output: reference.magnitudes(p, features!),
    grads: [Float64Array.from(gradOutput, Math.abs)],
  }),
  // The blur's roundings, and a product of four for each block. WGSL allows cos an absolute error of 2^-11.
  slack: (p) =>
    2 * (3 * (2 * p.blurRadius + 1) + 8 + 18 * Math.min(16, (p.blurRadius / p.blurSigma) ** 2 / 2)) +
    8 +
    8 * p.count +
    (p.direction === "random" ? 2 ** 13 : 0),
  exact: null, // no Gaussian has dyadic weights
  smooth: directions === PLAIN, // the gradient of "differences" deliberately ignores the source of the features
});

export const featureBlockPasteOperations = [
  operation("featureBlockPaste", PLAIN, [
    ["as published", problem({})],
    ["packed channels, one image", problem({ batch: 1, channels: 8 })],
    ["not blurred", problem({ blurRadius: 0 })],
    ["a wide blur", problem({ blurSigma: 2, blurRadius: 4 })],
    ["the paper's walk", problem({ walk: "paper", steps: 30 })],
    ["three blocks over each other", problem({ count: 3, steps: 60 })],
    ["one draw a batch", problem({ batch: 3, per: "batch" })],
    ["in a corner", problem({ region: [0.5, 0, 1, 0.25], maxHalfSide: 1.5 })],
    ["in a region where no window fits", problem({ region: [0, 0.9, 0.1, 1], maxHalfSide: 3.9 })],
    ["no steps", problem({ steps: 0 })],
    ["a sign a block", problem({ signs: "block", count: 2 })],
    [
      "more channels than a draw has coins",
      problem({ signs: "channel", channels: 130, height: 3, width: 3, maxHalfSide: 1.5 }),
    ],
    ["a sign a channel of a cell", problem({ signs: "cell" })],
    [
      "random, of the block alone",
      problem({
        direction: "random",
        shared: [1, 1],
        channels: 7,
        std: [1, 0.5, 2, 4, 0, 1, 3],
        intensity: [1, 2],
      }),
    ],
    ["random, of each cell", problem({ direction: "random", shared: [0, 0], channels: 4, intensity: [1, 3] })],
    ["random, of both", problem({ direction: "random", channels: 6, count: 2, intensity: [1, 3] })],
    ["random, one draw a batch", problem({ direction: "random", batch: 3, per: "batch", intensity: [1, 3] })],
  ]),
  operation("featureBlockPaste of differences", OTHERS, [
    ["from other images", problem({ direction: "differences", batch: 3, intensity: [1, 1] })],
    [
      "from other images, a sign a channel",
      problem({ direction: "differences", signs: "channel", count: 2, intensity: [1, 1] }),
    ],
    ["from other places", problem({ direction: "differences", source: "places", intensity: [0.5, 1] })],
    ["from other images where there is none", problem({ direction: "differences", batch: 1, intensity: [1, 1] })],
    [
      "from one draw a batch",
      problem({ direction: "differences", batch: 3, per: "batch", intensity: [1, 1], blurRadius: 0 }),
    ],
  ]),
];
