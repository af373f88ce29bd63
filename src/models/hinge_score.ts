import { relu } from "../ops/activation.ts";
import { add, multiply, scalar, subtract } from "../ops/elementwise.ts";
import { anomalyMap } from "../ops/losses.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Grad } from "./grad/model.ts";

/** How the hinge's scores join the anomaly map: map + weight * max(0, score - floor). */
export interface HingeScore {
  readonly floor: number;
  /** In units of the map, 0 or more. */
  readonly weight: number;
}

/** What a model says of each position of features `[N,H,W,C]`. */
export interface AnomalyCells {
  /** `[N,H,W]`: how badly it is reconstructed, in units of the features. */
  readonly residual: Tensor;
  /** `[N,H,W]`: the hinge's score; null where it takes no part. */
  readonly hinge: Tensor | null;
}

export function anomalyCells(model: Grad, features: Tensor): AnomalyCells {
  const { similarityThreshold: threshold, hingeWeight } = model.config;
  const residual = anomalyMap(features, model.reconstruct(features, null, "inference"), { threshold });
  return { residual, hinge: hingeWeight > 0 ? model.hingeScores(model.abnormal(features, null, "inference")) : null };
}

/** The anomaly of each position, `[N,H,W]`. */
export function joinedMap({ residual, hinge }: AnomalyCells, score: HingeScore | null): Tensor {
  if (!hinge || !score) return residual;
  const [floor, weight] = [scalar(hinge.device, score.floor), scalar(hinge.device, score.weight)];
  return add(residual, multiply(relu(subtract(hinge, floor)), weight));
}

/** Number, mean and sum of squares off it. */
type MomentState = readonly [count: number, mean: number, squares: number];
export type HingeState = readonly [residual: MomentState, hinge: MomentState];

/** Over cells of good images that were not trained on: from their spread comes how much the hinge's scores count. */
export class HingeStatistics {
  readonly #residual: Moments;
  readonly #hinge: Moments;

  /** @param state where others were */
  constructor([residual, hinge]: HingeState = [[0, 0, 0], [0, 0, 0]]) {
    this.#residual = new Moments(residual);
    this.#hinge = new Moments(hinge);
  }

  get state(): HingeState {
    return [this.#residual.state, this.#hinge.state];
  }

  get isEmpty(): boolean {
    return this.#hinge.state[0] === 0;
  }

  /** @param residual and @param hinge as in `AnomalyCells` */
  add(residual: Float32Array, hinge: Float32Array): void {
    this.#residual.add(residual);
    this.#hinge.add(hinge);
  }

  /**
   * Scores count from `floor` deviations above the mean of good ones, in units of their deviation, `weight` times the residual's.
   * Scores that do not vary say nothing, and do not count.
   */
  score(floor: number, weight: number): HingeScore {
    const { mean, deviation } = this.#hinge;
    return { floor: mean + floor * deviation, weight: deviation > 0 ? (weight * this.#residual.deviation) / deviation : 0 };
  }
}

class Moments {
  #count: number;
  #mean: number;
  #squares: number;

  constructor([count, mean, squares]: MomentState) {
    [this.#count, this.#mean, this.#squares] = [count, mean, squares];
  }

  get state(): MomentState {
    return [this.#count, this.#mean, this.#squares];
  }

  add(values: Float32Array): void {
    for (const value of values) {
      const off = value - this.#mean;
      this.#mean += off / ++this.#count;
      this.#squares += off * (value - this.#mean);
    }
  }

  get mean(): number {
    return this.#mean;
  }

  get deviation(): number {
    return Math.sqrt(this.#squares / Math.max(this.#count, 1));
  }
}
