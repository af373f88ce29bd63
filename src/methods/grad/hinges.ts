import { isObject } from "../../io/json.ts";
import { relu } from "../../ops/activation.ts";
import { add, multiply, scalar, subtract } from "../../ops/elementwise.ts";
import { anomalyMap } from "../../ops/losses.ts";
import { OptionError, ShapeError } from "../../runtime/errors.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Json } from "../method.ts";
import type { GradConfig } from "./config.ts";
import type { Grad } from "./model.ts";

/** Adds a hinge's scores to the errors of a reconstruction: weight * max(0, score - floor). */
export interface HingeJoin {
  readonly floor: number;
  /** In units of the map, 0 or more. */
  readonly weight: number;
}

/**
 * The hinges that can join: the abnormal branch's joins the anomaly map, the residual's the map of which the image's
 * score is made. What each is good at was measured: the first finds pixels, the second images.
 */
export const HINGES = ["abnormal", "residual"] as const;
/** One of them. */
export type HingeName = (typeof HINGES)[number];
/** The join of each hinge; hinges not named do not join. */
export type HingeJoins = { readonly [name in HingeName]?: HingeJoin };

/** A model's scores at each position of features `[N,H,W,C]`. */
export interface AnomalyCells {
  /** `[N,H,W]`: how badly it is reconstructed, in units of the features. */
  readonly errors: Tensor;
  /** `[N,H,W]`: the scores of the hinges that have a weight. */
  readonly hinges: { readonly [name in HingeName]?: Tensor };
}

export function anomalyCells(model: Grad, features: Tensor): AnomalyCells {
  const { similarityThreshold: threshold, hingeWeight, residualWeight } = model.config;
  const reconstruction = model.reconstruct(features, null, "inference");
  return {
    errors: anomalyMap(features, reconstruction, { threshold }),
    hinges: {
      ...(hingeWeight > 0 && { abnormal: model.hingeScores(model.abnormal(features, null, "inference")) }),
      ...(residualWeight > 0 && { residual: model.residualScores(features, reconstruction) }),
    },
  };
}

/** The errors with that hinge's scores, `[N,H,W]`; null where it does not join. */
export function joined({ errors, hinges }: AnomalyCells, joins: HingeJoins, name: HingeName): Tensor | null {
  const [hinge, join] = [hinges[name], joins[name]];
  if (!hinge || !join) return null;
  const [floor, weight] = [scalar(hinge.device, join.floor), scalar(hinge.device, join.weight)];
  return add(errors, multiply(relu(subtract(hinge, floor)), weight));
}

/** @throws OptionError unless each join has a finite floor and a weight of at least 0 */
export function requireJoins(joins: unknown): asserts joins is HingeJoins {
  const isJoin = (value: unknown): boolean =>
    isObject(value) &&
    Number.isFinite(value["floor"]) &&
    Number.isFinite(value["weight"]) &&
    Number(value["weight"]) >= 0;
  if (!isObject(joins) || !Object.values(joins).every(isJoin)) {
    throw new OptionError(
      `grad: expected joins to have a finite floor and a weight of at least 0 each, got ${JSON.stringify(joins)}`,
    );
  }
}

/** The joins that a model of this configuration comes to have, before they are measured: they add nothing. */
export const unmeasuredJoins = ({ hingeWeight, residualWeight }: HingeConfig): HingeJoins => ({
  ...(hingeWeight > 0 && { abnormal: { floor: 0, weight: 0 } }),
  ...(residualWeight > 0 && { residual: { floor: 0, weight: 0 } }),
});

/** Number, mean and sum of squares off it. */
type MomentState = readonly [count: number, mean: number, squares: number];
export type HingeState = { readonly [name in HingeName | "errors"]?: MomentState };

type HingeConfig = Pick<GradConfig, "hingeWeight" | "hingeFloor" | "residualWeight" | "residualFloor">;

/** Over cells of good images that were not trained on: from their spread comes how much the hinges' scores count. */
export class HingeStatistics {
  readonly #moments: ReadonlyMap<HingeName | "errors", Moments>;

  /** @param state where others were */
  constructor(state: HingeState = {}) {
    this.#moments = new Map((["errors", ...HINGES] as const).map((name) => [name, new Moments(state[name])]));
  }

  /**
   * Statistics as another's `state` has them; null for none.
   * @throws ShapeError if it is no such state
   */
  static from(state: Json): HingeStatistics {
    const isMoments = (value: unknown): boolean =>
      Array.isArray(value) && value.length === 3 && value.every(Number.isFinite);
    const isState = state === null || (isObject(state) && Object.values(state).every(isMoments));
    if (!isState) throw new ShapeError("the statistics of the hinges are of another kind");
    return new HingeStatistics(state ?? {});
  }

  get state(): Json {
    return Object.fromEntries([...this.#moments].map(([name, { state }]) => [name, state]));
  }

  get isEmpty(): boolean {
    return this.#moments.get("errors")!.state[0] === 0;
  }

  /** @param cells as in `AnomalyCells`, of the same cells each */
  add(errors: Float32Array, hinges: { readonly [name in HingeName]?: Float32Array }): void {
    this.#moments.get("errors")!.add(errors);
    for (const name of HINGES) if (hinges[name]) this.#moments.get(name)!.add(hinges[name]);
  }

  /**
   * Scores count from `floor` deviations above the mean of good ones, in units of their deviation, `weight` times the
   * errors'. Scores that do not vary say nothing, and do not count.
   */
  joins({ hingeWeight, hingeFloor, residualWeight, residualFloor }: HingeConfig): HingeJoins {
    return {
      ...(hingeWeight > 0 && { abnormal: this.#join("abnormal", hingeFloor, hingeWeight) }),
      ...(residualWeight > 0 && { residual: this.#join("residual", residualFloor, residualWeight) }),
    };
  }

  #join(name: HingeName, floor: number, weight: number): HingeJoin {
    const { mean, std } = this.#moments.get(name)!;
    const unit = std > 0 ? this.#moments.get("errors")!.std / std : 0;
    return { floor: mean + floor * std, weight: weight * unit };
  }
}

class Moments {
  #count: number;
  #mean: number;
  #squares: number;

  constructor([count, mean, squares]: MomentState = [0, 0, 0]) {
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

  get std(): number {
    return Math.sqrt(this.#squares / Math.max(this.#count, 1));
  }
}
