import { isObject } from "../../io/json.ts";
import { relu } from "../../ops/activation.ts";
import { add, multiply, scalar, subtract } from "../../ops/elementwise.ts";
import { anomalyMap } from "../../ops/losses.ts";
import { OptionError, ShapeError } from "../../runtime/errors.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Json } from "../method.ts";
import { fieldsOf } from "../parts/fields.ts";
import { isMomentState, Moments, type MomentState } from "../parts/moments.ts";
import type { GradConfig } from "./config.ts";
import type { Grad } from "./model.ts";

/** Adds a hinge's scores to the errors of a reconstruction: weight * max(0, score - floor). */
export type HingeJoin = {
  readonly floor: number;
  /** In units of the map, 0 or more. */
  readonly weight: number;
};

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

/**
 * Reads joins from a file, which may hold anything.
 * @throws OptionError unless each join has a finite floor and a weight of at least 0
 */
export function readJoins(json: Json | undefined): HingeJoins {
  const joins = fieldsOf(json);
  const isJoin = (value: Json | undefined): value is HingeJoin => {
    const { floor, weight } = fieldsOf(value);
    return Number.isFinite(floor) && Number.isFinite(weight) && Number(weight) >= 0;
  };
  if (!isObject(json) || !Object.values(joins).every(isJoin)) {
    throw new OptionError(
      `grad: expected joins to have a finite floor and a weight of at least 0 each, got ${JSON.stringify(json)}`,
    );
  }
  const read: { [name in HingeName]?: HingeJoin } = {};
  for (const name of HINGES) {
    const join = joins[name];
    if (isJoin(join)) read[name] = { floor: join.floor, weight: join.weight };
  }
  return read;
}

type Measured = HingeName | "errors";
const MEASURED: readonly Measured[] = ["errors", ...HINGES];
export type HingeState = { readonly [name in Measured]?: MomentState };

type HingeConfig = Pick<GradConfig, "hingeWeight" | "hingeFloor" | "residualWeight" | "residualFloor">;

/** Over cells of good images that were not trained on: from their spread comes how much the hinges' scores count. */
export class HingeStatistics {
  readonly #moments: ReadonlyMap<Measured, Moments>;

  /** @param state where others were */
  constructor(state: HingeState = {}) {
    this.#moments = new Map(MEASURED.map((name) => [name, new Moments(state[name])]));
  }

  /**
   * Statistics as another's `state` has them; null for none.
   * @throws ShapeError if it is no such state
   */
  static from(state: Json): HingeStatistics {
    const isState = state === null || (isObject(state) && Object.values(fieldsOf(state)).every(isMomentState));
    if (!isState) throw new ShapeError("the statistics of the hinges are of another kind");
    const read: { [name in Measured]?: MomentState } = {};
    for (const name of MEASURED) {
      const moments = fieldsOf(state)[name];
      if (isMomentState(moments)) read[name] = moments;
    }
    return new HingeStatistics(read);
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
