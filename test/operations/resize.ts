import { resize } from "../../src/ops/resize.ts";
import type { Draws } from "../harness/draws.ts";
import type { Operation } from "../harness/operation.ts";
import * as reference from "../reference/resize.ts";
import type { Problem } from "../reference/resize.ts";

/** A bilinear enlargement with alignCorners, with the given changes. */
const problem = (p: Partial<Problem>): Problem => ({
  batch: 1,
  height: 3,
  width: 4,
  channels: 4,
  size: [5, 7],
  mode: "bilinear",
  alignCorners: false,
  antialias: false,
  ...p,
});

const nearest = (p: Partial<Problem>): Problem => problem({ mode: "nearest", ...p });

const drawImage = (draws: Draws) => ({
  batch: draws.whole(1, 2),
  height: draws.whole(1, 9),
  width: draws.whole(1, 9),
  channels: draws.channels(8),
});

const drawSize = (draws: Draws) => [draws.pick([1, 2, 3, 7, 12]), draws.pick([1, 2, 4, 9, 11])] as const;

const common = {
  shapes: ({ batch, height, width, channels }: Problem) => [[batch, height, width, channels]],
  run: ({ size, mode, alignCorners, antialias }, [input]) => resize(input!, size, { mode, alignCorners, antialias }),
  forward: (p, [input]) => reference.forward(p, input!),
  backward: (p, _inputs, gradOutput) => [reference.backward(p, gradOutput)],
  // In each of two passes a rounding for each product and addition, and those of a weight: two of conversions, the
  // division of 2.5 ulp, which are 5 eps; with antialiasing also the sum of weights, of terms up to three times its
  // size, and the division by it.
  slack: (p) => 2 * (2 * reference.longestSum(p) + 7 + (p.antialias ? 40 : 0)),
  half: 2, // between the two passes, and of the result
} satisfies Partial<Operation<Problem>>;

export const resizeOperation: Operation<Problem> = {
  ...common,
  name: "resize",
  problems: [
    ["eightfold, corners aligned, as the anomaly map", problem({ channels: 1, size: [24, 32], alignCorners: true })],
    ["eightfold, edges aligned", problem({ batch: 2, size: [24, 32] })],
    [
      "ragged channels, ratios that are no whole numbers",
      problem({ batch: 2, channels: 3, height: 5, width: 7, size: [8, 9] }),
    ],
    ["smaller, corners aligned", problem({ height: 9, width: 7, size: [4, 5], alignCorners: true })],
    ["so much smaller that pixels are passed over", problem({ height: 17, width: 13, size: [3, 2] })],
    ["larger along H, smaller along W", problem({ height: 3, width: 11, size: [10, 4] })],
    ["smaller along H, larger along W", problem({ height: 11, width: 3, size: [4, 10], alignCorners: true })],
    ["from one pixel", problem({ height: 1, width: 1, size: [3, 2] })],
    [
      "from one pixel, corners aligned",
      problem({ height: 1, width: 1, channels: 3, size: [3, 2], alignCorners: true }),
    ],
    ["to one pixel", problem({ height: 5, width: 6, size: [1, 1] })],
    ["to one pixel, corners aligned", problem({ height: 5, width: 6, size: [1, 1], alignCorners: true })],
    ["only W", problem({ size: [3, 9] })],
    ["only H, whose rows are packed though the channels are not", problem({ channels: 1, size: [7, 4] })],
    [
      "antialiased, smaller by no whole number",
      problem({ batch: 2, height: 23, width: 17, channels: 3, size: [5, 4], antialias: true }),
    ],
    ["antialiased, halved", problem({ height: 8, width: 12, size: [4, 6], antialias: true })],
    ["antialiased, to one pixel", problem({ height: 9, width: 1, size: [1, 1], antialias: true })],
    ["antialiased, larger: bilinear but for the border", problem({ size: [7, 11], antialias: true })],
    [
      "antialiased, one axis larger and one smaller",
      problem({ height: 3, width: 13, size: [8, 5], channels: 1, antialias: true }),
    ],
    ["antialiased, barely smaller", problem({ height: 16, width: 15, size: [15, 14], antialias: true })],
  ],
  draw: (draws) => {
    const alignCorners = draws.chance();
    return problem({
      ...drawImage(draws),
      size: drawSize(draws),
      alignCorners,
      antialias: !alignCorners && draws.chance(),
    });
  },
  exact: null, // only some ratios have exact weights: see resizeDyadicOperation
};

/** Ratios whose weights are dyadic, so that f32 is exact. */
export const resizeDyadicOperation: Operation<Problem> = {
  ...common,
  name: "resize by ratios with dyadic weights",
  problems: [
    ["twice as large", problem({ size: [6, 8] })],
    ["four times as large, ragged channels", problem({ batch: 2, channels: 3, size: [12, 16] })],
    ["four gaps for one, corners aligned", problem({ size: [9, 13], alignCorners: true })],
    ["halved: means of two", problem({ height: 6, width: 10, size: [3, 5] })],
    ["a third: every third pixel", problem({ height: 9, width: 6, channels: 5, size: [3, 2] })],
    ["the same size", problem({ channels: 7, size: [3, 4] })],
    ["the same size, antialiased", problem({ channels: 7, size: [3, 4], antialias: true })],
    ["the same size, corners aligned", problem({ size: [3, 4], alignCorners: true })],
  ],
  draw: (draws) => {
    const image = drawImage(draws);
    const factor = draws.pick([1, 2, 4, 8]);
    const alignCorners = draws.chance();
    const enlarged = (extent: number) => (alignCorners ? (extent - 1) * factor + 1 : extent * factor);
    return problem({ ...image, size: [enlarged(image.height), enlarged(image.width)], alignCorners });
  },
};

export const resizeNearestOperation: Operation<Problem> = {
  ...common,
  name: "resize to the nearest pixel",
  problems: [
    ["larger by no whole number", nearest({ batch: 2, channels: 3, size: [7, 11] })],
    [
      "larger by no whole number, corners aligned",
      nearest({ batch: 2, channels: 3, size: [7, 11], alignCorners: true }),
    ],
    ["smaller by no whole number", nearest({ height: 11, width: 13, size: [4, 5] })],
    [
      "smaller by no whole number, corners aligned",
      nearest({ height: 11, width: 13, size: [4, 5], alignCorners: true }),
    ],
    [
      "positions halfway between pixels, corners aligned",
      nearest({ height: 4, width: 6, size: [7, 11], alignCorners: true }),
    ],
    ["thrice as large", nearest({ size: [9, 12] })],
    ["the same size", nearest({ channels: 1, size: [3, 4] })],
    ["from one pixel, corners aligned", nearest({ height: 1, width: 1, size: [4, 3], alignCorners: true })],
    ["to one pixel, corners aligned", nearest({ height: 5, width: 4, size: [1, 1], alignCorners: true })],
    ["to one pixel", nearest({ height: 5, width: 4, size: [1, 1] })],
    // Rounded to f32, 41 * (1 / 41) and the like fall short of the pixel that they name.
    ["many pixels, each copied often", nearest({ height: 41, width: 1, size: [123, 1], channels: 1 })],
  ],
  draw: (draws) => nearest({ ...drawImage(draws), size: drawSize(draws), alignCorners: draws.chance() }),
};
