import { isWhole } from "../../io/json.ts";
import type { Weights } from "../../nn/weights.ts";
import type { OptimizerState } from "../../optim/optimizer.ts";
import { DivergedError, ShapeError } from "../../runtime/errors.ts";
import { tunePending } from "../../runtime/tuner.ts";
import { nonFinite } from "../../tensor/finite.ts";
import { RandomStream } from "../../tensor/random.ts";
import { release, toArray } from "../../tensor/tensor.ts";
import type { FeatureSource, FitState, FitStep, Json, MarkedFeatures, StagePlan } from "../method.ts";
import { CapturedSteps, readResults, type StageOptimizer, type StepWork } from "./captured_steps.ts";
import { fieldsOf } from "./fields.ts";
import type { FitPart } from "./fit_part.ts";
import { readPosition, stepsLeft, type StagePosition } from "./stages.ts";

/** Number of the random stream that orders the images; a stage's work takes others. */
export const ORDER_STREAM = 1;
const READ_EVERY = 10;

/** The length of a stage. */
export interface Schedule {
  /** Images a step. */
  readonly batch: number;
  readonly steps: number;
  readonly perEpoch: number;
  readonly epochs: number;
}

/** Options of a stage's length. */
export interface ScheduleOptions {
  /** Images a step. */
  readonly batch: number;
  readonly epochs: number;
  /** Small sets get more epochs, up to so many steps. */
  readonly leastSteps: number;
}

/** The length of a stage over so many images. */
export function scheduleOf(images: number, { batch: most, epochs: wanted, leastSteps }: ScheduleOptions): Schedule {
  const batch = Math.min(most, images);
  const perEpoch = Math.ceil(images / batch);
  const epochs = Math.max(wanted, Math.ceil(leastSteps / perEpoch));
  return { batch, steps: epochs * perEpoch, perEpoch, epochs };
}

/** A stage that learns by gradients, an epoch at a time, in batches of images in random order. */
export interface GradientStage<Stage extends string = string> extends StagePlan, Schedule {
  readonly stage: Stage;
  /** For people. */
  readonly title: string;
  /** Added to the numbers of the stage's random streams. */
  readonly streams: number;
  readonly optimizer: () => StageOptimizer;
  readonly work: StepWork;
  /** The learning rates' factor in an epoch. Default 1. */
  readonly learningRateScale?: (epoch: number) => number;
  /** Number of a step's kind, by which its work differs: each kind is captured once. Default: all are of kind 0. */
  readonly kind?: (step: number) => number;
  /** Real anomalies that take the place of as many of a batch's images; null for none, the default. */
  readonly anomalies?: (images: number, step: number) => Promise<MarkedFeatures | null>;
  /** True once a step's results, behind the loss, are good enough to end the stage. Default: never. */
  readonly isEnough?: (results: Float32Array) => boolean;
}

/** The factor of the learning rates on weights that are trained already: few steps at the full ones would undo more than they learn. */
const CONTINUED_RATE = 0.3;

type CapturedState = {
  readonly position: StagePosition;
  readonly optimizerSteps: readonly number[] | null;
};

/**
 * A training by gradients, stage by stage, of steps that are captured. Between two steps it can be paused, saved and
 * resumed to the same bits. The same seed on the same adapter gives the same bits.
 */
export class CapturedFit implements FitPart {
  readonly #owner: string;
  readonly #weights: Weights;
  readonly #features: FeatureSource;
  readonly #seed: number;
  readonly #stages: readonly GradientStage[];
  readonly #rate: number;
  #position: StagePosition;
  #optimizer: StageOptimizer | null = null;
  #steps: CapturedSteps | null = null;
  #order: readonly number[] | null = null; // of the images in this epoch

  /**
   * @param owner name of the method, for errors
   * @param stages in order, at least one
   * @param before configuration of the model that the weights are of; null for weights that are not trained yet
   */
  constructor(
    owner: string,
    weights: Weights,
    features: FeatureSource,
    seed: number,
    stages: readonly GradientStage[],
    before: Json = null,
  ) {
    this.#rate = before === null ? 1 : CONTINUED_RATE;
    [this.#owner, this.#weights, this.#features, this.#seed, this.#stages] = [owner, weights, features, seed, stages];
    this.#position = { stage: stages[0]!.stage, step: 0 };
  }

  get remaining(): readonly StagePlan[] {
    return stepsLeft(this.#stages, this.#position);
  }

  async *steps(): AsyncGenerator<FitStep, void> {
    while (this.#position) yield await this.#take(this.#position);
  }

  async state(): Promise<FitState> {
    const optimizer = (await this.#optimizer?.state()) ?? null;
    const json: CapturedState = { position: this.#position, optimizerSteps: optimizer?.steps ?? null };
    return {
      json,
      tensors: new Map(optimizer?.moments.map((values, i) => [`optimizer.${i}`, values])),
    };
  }

  restore({ json, tensors }: FitState): void {
    const { position, optimizerSteps: steps } = this.#stateOf(json);
    this.release();
    this.#position = position;
    if (!position || !steps) return;
    const state: OptimizerState = {
      steps,
      moments: Array.from({ length: tensors.size }, (_, i) => tensors.get(`optimizer.${i}`) ?? new Float32Array()),
    };
    this.#optimizer = this.#stageAt(position).optimizer();
    try {
      this.#optimizer.restore(state);
    } catch (error) {
      this.release();
      throw error;
    }
  }

  release(): void {
    this.#order = null;
    this.#steps?.release();
    this.#steps = null;
    this.#optimizer?.release();
    this.#optimizer = null;
  }

  #stageAt({ stage }: { readonly stage: string }): GradientStage {
    return this.#stages.find((known) => known.stage === stage)!;
  }

  /** @throws ShapeError if it is no state of such a fit */
  #stateOf(json: Json): CapturedState {
    const { position: stored, optimizerSteps } = fieldsOf(json);
    const position = readPosition(stored, this.#stages);
    const isSteps = optimizerSteps === null || (Array.isArray(optimizerSteps) && optimizerSteps.every(isWhole));
    if (position !== undefined && isSteps) return { position, optimizerSteps };
    const got = JSON.stringify({ position: stored, optimizerSteps }).slice(0, 80);
    throw new ShapeError(
      `${this.#owner}: expected a position within the plan and the optimiser's steps in the state of the fit, got ${got}`,
    );
  }

  async #take(position: { readonly stage: string; readonly step: number }): Promise<FitStep> {
    const { step } = position;
    const stage = this.#stageAt(position);
    const { title, steps, perEpoch, batch, streams } = stage;
    const { device } = this.#weights;
    this.#optimizer ??= stage.optimizer();
    this.#steps ??= new CapturedSteps(device, stage.work, this.#optimizer, { seed: this.#seed, stream: streams });
    const epoch = Math.floor(step / perEpoch);
    const nth = step % perEpoch;
    if (nth === 0 || !this.#order)
      this.#order = orderOf(this.#features, new RandomStream(this.#seed, ORDER_STREAM + streams, epoch));
    const images = this.#order.slice(nth * batch, (nth + 1) * batch);
    const marked = (await stage.anomalies?.(images.length, step)) ?? null;
    const chosen = await this.#features.batch(images.slice(marked?.mask.shape[0] ?? 0));
    const kind = stage.kind?.(step) ?? 0;
    await this.#steps.prepare(chosen, marked, kind);
    const results = this.#steps.take(chosen, marked, kind, step, this.#rate * (stage.learningRateScale?.(epoch) ?? 1));
    for (const used of [chosen, marked?.features, marked?.mask]) if (used) release(used);
    const done = step + 1;
    const [loss, rest] = await readResults(results, done % READ_EVERY === 0 || done === steps);
    if (loss !== null && !Number.isFinite(loss)) {
      const broken = await firstNonFinite(this.#weights);
      const weights = broken ? `tensor ${broken}` : "all weights are still finite";
      throw new DivergedError(
        `training diverged: the loss at step ${done} of stage ${stage.stage} is ${loss}; ${weights}`,
      );
    }
    if (await tunePending(device)) this.#steps.recapture();
    if (done === steps || (rest !== null && stage.isEnough?.(rest))) {
      this.release();
      device.trim(); // the next stage needs other sizes
      const next = this.#stages[this.#stages.indexOf(stage) + 1];
      this.#position = next ? { stage: next.stage, step: 0 } : null;
    } else this.#position = { stage: stage.stage, step: done };
    return { stage: stage.stage, title, step: done, steps, epoch, loss };
  }
}

/** An epoch's images: all, in random order; where some were added, as many draws, of which about half are of these. */
function orderOf({ count, added = 0 }: FeatureSource, random: RandomStream): readonly number[] {
  const times = added === 0 ? 1 : Math.max(1, Math.round((count - added) / added));
  if (times === 1) return random.permutation(count);
  const drawn = random.permutation(count - added + times * added).slice(0, count);
  return drawn.map((i) => (i < count - added ? i : count - added + ((i - count + added) % added)));
}

/**
 * Describes the first NaN or infinity among weights for an error message, such as "head.weight holds NaN at element 5";
 * null if all tensors are finite.
 */
async function firstNonFinite(weights: Weights): Promise<string | null> {
  for (const [name, tensor] of weights.all()) {
    const found = nonFinite(await toArray(tensor));
    if (found) return `${name} holds ${found}`;
  }
  return null;
}
