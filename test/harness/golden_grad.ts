// What tools/golden/grad.py and the tests of GRAD and CRAD have in common: made-up weights, features and noise.
import type { GradOptions } from "../../src/methods/grad/options.ts";
import type { Weights } from "../../src/nn/weights.ts";
import { countOf, type Shape, type Tensor } from "../../src/tensor/tensor.ts";
import golden from "../golden/grad.json";
import { device } from "./device.ts";
import type { TrainingSummary } from "./golden_training.ts";
import { uniform } from "./made_up_network.ts";
import { hashed, type Summary } from "./summaries.ts";

interface StageResult extends TrainingSummary {
  readonly inference?: Summary;
}

/** A model of certain options, and what PyTorch makes of it. */
export interface GradCase {
  readonly name: string;
  readonly options: GradOptions;
  readonly reconstruction: Summary;
  readonly abnormal?: Summary;
  readonly stages: { readonly [stage in "abnormal" | "normal" | "residual"]?: StageResult };
}

export const { batch, side, channels, ...grids } = golden.sizes;
export const GRAD_CASES = golden.cases as unknown as readonly GradCase[];
export const MAP: Shape = [batch, side, side, channels];

const [WEIGHT_KEY, FEATURE_KEY, NOISE_KEY] = [1, 5000, 6000];

/** Clean features of a step, as `MAP`. */
export const cleanOf = (step: number): Float32Array => {
  const base = uniform(countOf(MAP), FEATURE_KEY);
  return uniform(countOf(MAP), FEATURE_KEY + 1 + step).map((u, i) => 3.5 * base[i]! + 0.5 * u);
};

/** Noise on the local coordinates of a step. */
export const noiseOf = (step: number): Tensor => hashed([batch, side, side, 2], NOISE_KEY + step, (u) => 0.05 * u);

/** The made-up value of element `i` of a tensor of that name. */
function valueOf(name: string, shape: Shape, u: number, i: number): number {
  const isFirstRow = i < countOf(shape) / 2;
  if (name === "fusion.weight") return -0.2;
  if (name.endsWith(".affine")) return isFirstRow ? 1 + 0.5 * u : 0.2 * u;
  if (name.endsWith(".running")) return isFirstRow ? 0.1 * u : 1 + 0.5 * u;
  if (name.endsWith(".unit")) return 2 + u;
  if (name.endsWith(".bias")) return 0.2 * u;
  if (!name.endsWith(".weight")) return u;
  return u * Math.sqrt(3 / (name.endsWith("depthwise.weight") ? 9 : countOf(shape.slice(0, -1))));
}

/** Writes made-up values over a model's tensors. A tensor's key is its place among all names in order. */
export function fillMadeUp(weights: Weights): void {
  const constants = (name: string): boolean => name === "fusion.normal" || name === "fusion.abnormal";
  const named = [...weights.all()].filter(([name]) => !constants(name)).sort(([a], [b]) => (a < b ? -1 : 1));
  named.forEach(([name, { allocation, shape }], i) =>
    device.write(
      allocation.buffer,
      uniform(countOf(shape), WEIGHT_KEY + i).map((u, at) => valueOf(name, shape, u, at)),
    ),
  );
}
