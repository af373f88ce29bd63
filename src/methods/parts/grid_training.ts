import { normal, type Draw } from "../../ops/random.ts";
import { AdamW } from "../../optim/adam.ts";
import { RandomStream } from "../../tensor/random.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Schedule } from "./captured_fit.ts";
import type { gridParameters } from "./grid_memory.ts";

const LEARNING_RATE = 0.001;
const GRID_LEARNING_RATE = 0.1;
const MAX_NORM = 0.1;
const DROP_AT = 0.8; // of a stage that learns to reconstruct: the learning rates fall
const DROP_TO = 0.1;
const CODE_NOISE = 0.05;

/**
 * AdamW for grids, at a high learning rate, and for the other parameters.
 * @param lossScale by which the loss was multiplied
 */
export function gridOptimizer(
  { grids, others }: ReturnType<typeof gridParameters>,
  { learningRate = LEARNING_RATE, lossScale = 1 } = {},
): AdamW {
  return new AdamW(
    [
      { parameters: grids, learningRate: GRID_LEARNING_RATE },
      { parameters: others, learningRate },
    ],
    { maxNorm: MAX_NORM, gradientScale: 1 / lossScale },
  );
}

/** The factor of the learning rates in an epoch: they fall near the end of a stage that learns to reconstruct. */
export const reconstructionRate =
  ({ epochs }: Pick<Schedule, "epochs">) =>
  (epoch: number): number =>
    epoch >= Math.floor(DROP_AT * epochs) ? DROP_TO : 1;

/** Kind of the steps whose local coordinates get noise; 0 of the others. */
export const NOISY = 1;

/** The kind of a step: half of all get noise. */
export const noiseKind = (seed: number, stream: number, step: number): number =>
  new RandomStream(seed, stream, step).unit() < 0.5 ? NOISY : 0;

/** Noise on the local coordinates of features `[N,H,W,C]`: `[N,H,W,2]`. */
export const codeNoise = ({ device, shape }: Tensor, draw: Draw): Tensor =>
  normal(device, [...shape.slice(0, 3), 2], draw, CODE_NOISE);
