import { gaussianBlur } from "../../src/ops/gaussian_blur.ts";
import type { Operation } from "../harness/operation.ts";
import * as reference from "../reference/gaussian_blur.ts";
import type { Problem } from "../reference/gaussian_blur.ts";

/** A window that reaches two pixels beyond the border, with the given changes. */
const problem = (p: Partial<Problem>): Problem => ({
  batch: 1,
  height: 6,
  width: 4,
  channels: 8,
  size: 5,
  sigma: 1.25,
  border: "reflect",
  ...p,
});

export const gaussianBlurOperation: Operation<Problem> = {
  name: "gaussianBlur",
  problems: [
    ["3x3 of sigma 0.8, ragged channels", problem({ batch: 2, height: 5, width: 7, channels: 3, size: 3, sigma: 0.8 })],
    ["a window of one pixel", problem({ size: 1, sigma: 2 })],
    ["reflected, as wide as one mirror allows", problem({ size: 7 })],
    ["reflected again and again", problem({ height: 4, width: 3, channels: 5, size: 17, sigma: 6 })],
    ["reflected between two pixels", problem({ height: 2, width: 2, channels: 4, size: 9, sigma: 3 })],
    ["reflected in one pixel", problem({ height: 1, width: 1, channels: 1, size: 5 })],
    ["reflected in one row", problem({ height: 1, width: 5 })],
    ["replicated", problem({ batch: 2, channels: 3, border: "replicate" })],
    [
      "replicated beyond the image",
      problem({ height: 3, width: 2, channels: 4, size: 11, sigma: 4, border: "replicate" }),
    ],
    ["replicated from one pixel", problem({ height: 1, width: 1, channels: 4, size: 7, border: "replicate" })],
    ["zeros", problem({ batch: 2, channels: 3, border: "zeros" })],
    ["zeros beyond the image", problem({ height: 3, width: 2, channels: 4, size: 11, sigma: 4, border: "zeros" })],
    ["so narrow that only the middle counts", problem({ sigma: 1e-3 })],
    ["so wide that it is a box", problem({ sigma: 1e20 })],
  ],
  draw: (draws) => ({
    batch: draws.whole(1, 2),
    height: draws.whole(1, 8),
    width: draws.whole(1, 8),
    channels: draws.channels(8),
    size: 2 * draws.whole(0, 7) + 1,
    sigma: draws.pick([0.1, 0.5, 0.8, 1.5, 4, 20]),
    border: draws.pick(["reflect", "replicate", "zeros"] as const),
  }),
  shapes: ({ batch, height, width, channels }) => [[batch, height, width, channels]],
  run: ({ size, sigma, border }, [input]) => gaussianBlur(input!, { size, sigma, border }),
  forward: (p, [input]) => reference.forward(p, input!),
  backward: (p, _inputs, gradOutput) => [reference.backward(p, gradOutput)],
  // In each of two passes a product and an addition for each weight; for a gradient also the sums over as many
  // positions. A weight is exp(-x): 3 + 2x ulp of its own, and 4 roundings and a division of 2.5 ulp in x, which count
  // x times; an ulp is 2 eps. Beyond x = 16 a weight is less than eps.
  slack: ({ size, sigma }) => {
    const x = Math.min(16, ((size - 1) / 2 / sigma) ** 2 / 2);
    return 2 * (3 * size + 8 + (4 + 14) * x);
  },
  exact: null, // no Gaussian has dyadic weights
  half: 2, // between the two passes, and of the result
};
