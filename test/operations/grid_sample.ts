import { gridSample } from "../../src/ops/grid_sample.ts";
import type { Operation } from "../harness/operation.ts";
import * as reference from "../reference/grid_sample.ts";
import type { Problem } from "../reference/grid_sample.ts";

const GRID = 1; // the second input
const image = (random: () => number): number => 2 * random() - 1;
const whole = (random: () => number, range: number): number => Math.floor((2 * range + 1) * random()) - range;

/** Samples with coordinates up to `reach`, exact ones in sixteenths. */
const sampling = (name: string, reach: number, problems: Operation<Problem>["problems"]): Operation<Problem> => ({
  name,
  problems,
  wide: [GRID],
  draw: (draws) => ({
    ...(draws.chance(0.1)
      ? // more cells and blocks than one workgroup scans
        { batch: 3, height: 17, width: draws.whole(14, 18), outHeight: 20, outWidth: draws.whole(32, 36) }
      : {
          batch: draws.whole(1, 3),
          height: draws.whole(1, 6),
          width: draws.whole(1, 6),
          outHeight: draws.whole(1, 9),
          outWidth: draws.whole(1, 12),
        }),
    channels: draws.chance(0.1) ? draws.pick([37, 4 * 33]) : draws.channels(), // more packs than one lane takes
    alignCorners: draws.chance(),
    mode: draws.pick(["bilinear", "bilinear", "nearest"]),
    paddingMode: draws.pick(["zeros", "border", "reflection"]),
  }),
  shapes: (p) => [
    [p.batch, p.height, p.width, p.channels],
    [p.batch, p.outHeight, p.outWidth, 2],
  ],
  run: ({ alignCorners, mode = "bilinear", paddingMode = "zeros" }, [input, grid]) =>
    gridSample(input!, grid!, { alignCorners, mode, paddingMode }),
  forward: (p, [input, grid]) => reference.forward(p, input!, grid!),
  backward: (p, [input, grid], gradOutput) => [
    reference.backwardInput(p, grid!, gradOutput),
    reference.backwardGrid(p, input!, grid!, gradOutput),
  ],
  // Between the kinks: with odd numerators over 2048 no position in a small image is a pixel's centre, or midway
  // between two.
  value: (random, i) => (i === GRID ? (2 * Math.floor(1024 * reach * image(random)) + 1) / 2048 : image(random)),
  exact: (random, i) => (i === GRID ? whole(random, 16 * reach) / 16 : whole(random, 4)),
  // A position of at most (1 + reach) / 2 sizes is three roundings from the grid: off by 1.5 (1 + reach) sizes in x and
  // as much in y. The image lies in [-1, 1], so moving changes the sample by at most 2 per pixel, along two axes. Two
  // interpolations in turn round 4 times each; a weight fewer times. Then one rounding for every sample added to a
  // pixel, or two for every channel added to a sample's gradient.
  slack: ({ height, width, channels, outHeight, outWidth }) =>
    6 * (1 + reach) * Math.max(height, width) + 8 + outHeight * outWidth + 2 * channels,
  magnitudes: (p, [, grid], gradOutput) => {
    const size = Math.max(p.height, p.width);
    const absolute = Array.from(gradOutput, Math.abs);
    const ofSample = Array.from({ length: grid!.length / 2 }, (_, s) =>
      total(absolute.slice(s * p.channels, (s + 1) * p.channels)),
    );
    return {
      output: new Float64Array(gradOutput.length).fill(1),
      // An error of position moves a weight by as much, whatever the weight: count every sample that reaches the pixel.
      // The slopes of the image are at most 2, and a grid's unit is half an image.
      grads: [
        reference.backwardInput(p, grid!, absolute, reaches),
        ofSample.flatMap((sum) => [size * sum, size * sum]),
      ],
    };
  },
});

const reaches = (t: number): number => (Math.abs(t) <= 1 + 2 ** -16 ? 1 : 0);

const total = (terms: readonly number[]): number => terms.reduce((sum, term) => sum + term, 0);

export const gridSampleOperation = sampling("gridSample", 1.25, [
  ["one pixel", { batch: 1, height: 1, width: 1, channels: 1, outHeight: 1, outWidth: 1, alignCorners: false }],
  [
    "one pixel, align_corners",
    { batch: 1, height: 1, width: 1, channels: 4, outHeight: 2, outWidth: 1, alignCorners: true },
  ],
  [
    "scalar channels, nothing square",
    { batch: 2, height: 3, width: 5, channels: 7, outHeight: 4, outWidth: 6, alignCorners: false },
  ],
  [
    "packed channels, nothing square",
    { batch: 3, height: 5, width: 3, channels: 8, outHeight: 2, outWidth: 7, alignCorners: true },
  ],
  [
    "as many channel packs as one lane takes",
    { batch: 1, height: 2, width: 3, channels: 4 * 32, outHeight: 3, outWidth: 2, alignCorners: false },
  ],
  [
    "lanes that have no channels",
    { batch: 1, height: 2, width: 3, channels: 4 * 33, outHeight: 3, outWidth: 2, alignCorners: false },
  ],
  [
    "more channel packs than lanes",
    { batch: 1, height: 2, width: 3, channels: 4 * 65, outHeight: 3, outWidth: 2, alignCorners: true },
  ],
  [
    "more scalar channels than lanes",
    { batch: 2, height: 2, width: 2, channels: 67, outHeight: 1, outWidth: 3, alignCorners: false },
  ],
  [
    "exactly one block of samples",
    { batch: 2, height: 3, width: 3, channels: 4, outHeight: 8, outWidth: 8, alignCorners: false },
  ],
  [
    "one sample more than a block",
    { batch: 2, height: 3, width: 3, channels: 4, outHeight: 5, outWidth: 13, alignCorners: false },
  ],
  [
    "many blocks in each of several images",
    { batch: 3, height: 2, width: 3, channels: 4, outHeight: 17, outWidth: 12, alignCorners: true },
  ],
  [
    "many samples per pixel",
    { batch: 1, height: 2, width: 2, channels: 4, outHeight: 40, outWidth: 40, alignCorners: false },
  ],
  [
    "GRAD's local grid, one image, fewer channels",
    { batch: 1, height: 8, width: 8, channels: 8, outHeight: 28, outWidth: 28, alignCorners: false },
  ],
]);

// Nearly all samples are in no cell and affect nothing; blocks are nearly empty.
export const gridSampleFarOperation = sampling("gridSample far outside the image", 8, [
  ["scalar channels", { batch: 2, height: 3, width: 4, channels: 3, outHeight: 9, outWidth: 10, alignCorners: false }],
  [
    "packed channels, align_corners",
    { batch: 1, height: 4, width: 3, channels: 4, outHeight: 11, outWidth: 13, alignCorners: true },
  ],
]);

// In an image of 2 x 2 with alignCorners, [-1, 1] is the only cell inside. Three sixteenths keep samples there.
export const gridSampleOneCellOperation = sampling("gridSample with every sample in one cell", 3 / 16, [
  ["less than a block", { batch: 2, height: 2, width: 2, channels: 3, outHeight: 3, outWidth: 7, alignCorners: true }],
  [
    "several blocks, several images",
    { batch: 2, height: 2, width: 2, channels: 4, outHeight: 10, outWidth: 25, alignCorners: true },
  ],
]);

const MODES: Operation<Problem>["problems"] = (["bilinear", "nearest"] as const).flatMap((mode) =>
  (["zeros", "border", "reflection"] as const).flatMap((paddingMode) =>
    [true, false].map(
      (alignCorners) =>
        [
          `${mode}, ${paddingMode}, ${alignCorners ? "corners" : "edges"} aligned`,
          {
            batch: 2,
            height: 3,
            width: 5,
            channels: alignCorners ? 4 : 3,
            outHeight: 7,
            outWidth: 6,
            alignCorners,
            mode,
            paddingMode,
          },
        ] as const,
    ),
  ),
);

export const gridSampleModesOperation = sampling("gridSample in every mode", 2.5, [
  ...MODES,
  [
    "border of one pixel",
    {
      batch: 1,
      height: 1,
      width: 1,
      channels: 4,
      outHeight: 3,
      outWidth: 3,
      alignCorners: true,
      paddingMode: "border",
    },
  ],
  [
    "reflection in one pixel, corners aligned",
    {
      batch: 1,
      height: 1,
      width: 2,
      channels: 1,
      outHeight: 3,
      outWidth: 3,
      alignCorners: true,
      paddingMode: "reflection",
    },
  ],
]);
