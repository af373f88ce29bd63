import { isWhole } from "../../io/json.ts";
import type { Weights } from "../../nn/weights.ts";
import type { Optimizer, OptimizerState } from "../../optim/optimizer.ts";
import { DivergedError, ShapeError } from "../../runtime/errors.ts";
import { tunePending } from "../../runtime/tuner.ts";
import { nonFinite } from "../../tensor/finite.ts";
import { RandomStream } from "../../tensor/random.ts";
import { release, toArray, type Tensor } from "../../tensor/tensor.ts";
import type { FitState, FitStep, Json, StagePlan } from "../method.ts";
import { CapturedSteps, readResults, type StepInputs, type StepResult } from "./captured_steps.ts";
import { fieldsOf } from "./fields.ts";
import type { FitPart } from "./fit_part.ts";
import { stepsLeft } from "./stages.ts";

/** The number of a stage's stream of random numbers that orders images, before its `streams`. */
export const ORDER_STREAM = 1;
const READ_EVERY = 10; // steps

/** The length of a stage: whole epochs. */
export interface StageLength {
  readonly steps: number;
  readonly perEpoch: number;
  readonly epochs: number;
}

/** The length of a stage of so many epochs, or of more where these have fewer steps than the least. */
export function stageLength(images: number, batch: number, epochs: number, leastSteps: number): StageLength {
  const perEpoch = Math.ceil(images / Math.min(batch, images));
  const taken = Math.max(epochs, Math.ceil(leastSteps / perEpoch)); // small sets get more
  return { steps: taken * perEpoch, perEpoch, epochs: taken };
}

/** A stage of a training by gradients. */
export interface GradientStage<Stage extends string = string> extends StagePlan, StageLength {
  readonly stage: Stage;
  /** For people. */
  readonly title: string;
  /** Added to the numbers of its streams of random numbers, so that those of two stages differ. */
  readonly streams: number;
  /** The optimiser of the parameters that the stage trains. */
  readonly optimizer: () => Optimizer;
  /** Multiplies the learning rates. */
  readonly learningRateScale: (epoch: number) => number;
  /** Puts the inputs of a step together, of these images; they are released after the step. */
  readonly inputs: (images: readonly number[], step: number) => Promise<StepInputs>;
  /** The step itself (`gradientStep`), after the optimiser's `advance`; it is captured. */
  readonly take: (inputs: StepInputs, optimizer: Optimizer, step: Tensor) => StepResult;
  /** True if what a step has measured ends the stage; steps are read now and then. */
  readonly isEnough: (measured: readonly Float32Array[]) => boolean;
}

/** Material of a training. */
export interface GradientTrainingOptions {
  /** Name of the method, for errors. */
  readonly owner: string;
  readonly weights: Weights;
  /** Number of images. */
  readonly images: number;
  /** Images a step. */
  readonly batch: number;
  readonly seed: number;
}

/** The position of training: before this step of this stage. */
export interface FitPosition<Stage extends string = string> {
  readonly stage: Stage;
  readonly step: number;
}

/**
 * Describes the first NaN or infinity of weights for an error message, such as "head.weight holds NaN at element 5"; null
 * if all tensors are finite.
 */
async function firstNonFinite(weights: Weights): Promise<string | null> {
  for (const [name, tensor] of weights.all()) {
    const found = nonFinite(await toArray(tensor));
    if (found) return `${name} holds ${found}`;
  }
  return null;
}

/**
 * A training by gradients, stage by stage. Between two steps it can be paused, saved and resumed to the same bits. The
 * same seed on the same adapter gives the same bits.
 */
export class GradientTraining<Stage extends string = string> implements FitPart {
  readonly #options: GradientTrainingOptions;
  readonly #stages: readonly GradientStage<Stage>[];
  #position: FitPosition<Stage> | null;
  #optimizer: Optimizer | null = null;
  #steps: CapturedSteps | null = null;
  #order: readonly number[] | null = null; // of the images in this epoch

  /** @param stages in order, at least one */
  constructor(options: GradientTrainingOptions, stages: readonly GradientStage<Stage>[]) {
    [this.#options, this.#stages] = [options, stages];
    this.#position = { stage: stages[0]!.stage, step: 0 };
  }

  get remaining(): readonly StagePlan[] {
    return stepsLeft(this.#stages, this.#position);
  }

  /**
   * Takes steps until the end; leaving the loop pauses the training.
   * @throws DivergedError where a loss that was read is NaN or infinite
   */
  async *steps(): AsyncGenerator<FitStep, void> {
    while (this.#position) yield await this.#take(this.#position);
  }

  async state(): Promise<FitState> {
    const optimizer = await this.#optimizer?.state();
    return {
      json: { position: this.#position && { ...this.#position }, optimizerSteps: optimizer?.steps ?? null },
      tensors: new Map(optimizer?.moments.map((values, i) => [`optimizer.${i}`, values])),
    };
  }

  restore({ json, tensors }: FitState): void {
    const { position, steps } = this.#stateOf(json);
    const moments = Array.from({ length: tensors.size }, (_, i) => tensors.get(`optimizer.${i}`) ?? new Float32Array());
    this.resume(position, steps && { steps, moments });
  }

  /**
   * Resumes at a position, once the model has the weights of a training that was there.
   * @param optimizer its state besides the weights; null between stages
   * @throws ShapeError for a position beyond this training's steps, or an optimiser of other parameters
   */
  resume(position: FitPosition<Stage> | null, optimizer: OptimizerState | null): void {
    this.release();
    const stage = position && this.#stages.find(({ stage }) => stage === position.stage);
    if (position && !(position.step < (stage?.steps ?? 0))) {
      throw new ShapeError(
        `resume: expected a step before ${stage?.steps ?? 0} of stage ${position.stage}, got ${position.step}`,
      );
    }
    this.#position = position;
    if (!stage || !optimizer) return;
    this.#optimizer = stage.optimizer();
    try {
      this.#optimizer.restore(optimizer);
    } catch (error) {
      this.release();
      throw error;
    }
  }

  /** Gives the storage of the optimiser and of the captured steps back. */
  release(): void {
    this.#order = null;
    this.#steps?.release();
    this.#steps = null;
    this.#optimizer?.release();
    this.#optimizer = null;
  }

  /** Takes a step. */
  async #take({ stage: name, step }: FitPosition<Stage>): Promise<FitStep> {
    const { weights } = this.#options;
    const nth = this.#stages.findIndex(({ stage }) => stage === name);
    const stage = this.#stages[nth]!;
    const { steps, perEpoch } = stage;
    const optimizer = (this.#optimizer ??= stage.optimizer());
    this.#steps ??= new CapturedSteps(optimizer, (inputs, step) => stage.take(inputs, optimizer, step));
    const epoch = Math.floor(step / perEpoch);
    const inputs = await stage.inputs(this.#imagesOf(stage, step), step);
    await this.#steps.prepare(inputs);
    const results = this.#steps.take(inputs, step, stage.learningRateScale(epoch));
    inputs.tensors.forEach(release);
    const done = step + 1;
    const measured = await readResults(results, done % READ_EVERY === 0 || done === steps);
    const loss = measured ? measured[0]![0]! : null;
    if (loss !== null && !Number.isFinite(loss)) {
      const broken = await firstNonFinite(weights);
      const state = broken ? `tensor ${broken}` : "all weights are still finite";
      throw new DivergedError(`training diverged: the loss at step ${done} of stage ${name} is ${loss}; ${state}`);
    }
    if (await tunePending(weights.device)) this.#steps.recapture();
    if (done === steps || (measured && stage.isEnough(measured))) {
      this.release();
      weights.device.trim(); // the next stage needs other sizes
      const next = this.#stages[nth + 1];
      this.#position = next ? { stage: next.stage, step: 0 } : null;
    } else this.#position = { stage: name, step: done };
    return { stage: name, title: stage.title, step: done, steps, epoch, loss };
  }

  /** The images of a step: in each epoch all of them, in another order. */
  #imagesOf({ perEpoch, streams }: GradientStage, step: number): readonly number[] {
    const { images, seed } = this.#options;
    const batch = Math.min(this.#options.batch, images);
    const nth = step % perEpoch;
    if (nth === 0 || !this.#order)
      this.#order = new RandomStream(seed, ORDER_STREAM + streams, Math.floor(step / perEpoch)).permutation(images);
    return this.#order.slice(nth * batch, (nth + 1) * batch);
  }

  /** @throws ShapeError if it is no state of such a training */
  #stateOf(json: Json): { readonly position: FitPosition<Stage> | null; readonly steps: readonly number[] | null } {
    const { position, optimizerSteps: steps } = fieldsOf(json);
    const { stage: name, step } = fieldsOf(position);
    const stage = this.#stages.find(({ stage }) => stage === name);
    const read = position === null ? null : stage && isWhole(step) ? { stage: stage.stage, step } : undefined;
    const isSteps = steps === null || (Array.isArray(steps) && steps.every(isWhole));
    if (read === undefined || !isSteps) {
      throw new ShapeError(
        `the state of the fit is not that of ${this.#options.owner}: its position or the optimiser's steps are missing, or of another kind`,
      );
    }
    return { position: read, steps };
  }
}
