import { AdamW } from "../../optim/adam.ts";
import type { OptimizerState } from "../../optim/optimizer.ts";
import { tunePending } from "../../runtime/tuner.ts";
import { RandomStream } from "../../tensor/random.ts";
import { nonFinite } from "../../tensor/finite.ts";
import { DivergedError, ShapeError } from "../../runtime/errors.ts";
import { release, toArray } from "../../tensor/tensor.ts";
import type { AnomalySource, FeatureSource, FitStep, MarkedFeatures } from "../method.ts";
import type { GradConfig } from "./config.ts";
import { stagesOf, STAGES, TITLES, trainedIn, STREAM, type FitOptions, type Stage } from "./stages.ts";
import type { Grad } from "./model.ts";
import { readResults, StageSteps } from "./stage_steps.ts";

/** The position of training: before this step of this stage. */
export type FitPosition = {
  readonly stage: Stage;
  readonly step: number;
};

const LEARNING_RATE = 0.001;
const RESIDUAL_LEARNING_RATE = 0.003;
const GRID_LEARNING_RATE = 0.1;
const MAX_NORM = 0.1;
const DROP_AT = 0.8; // of a stage that learns to reconstruct: the learning rates fall
const DROP_TO = 0.1;
const READ_EVERY = 10;
const STAGE_STREAMS = 16; // between the stages' streams of random numbers

const SHARE = 256; // a position's loss weighs about one part in so many

/**
 * A factor of the loss with which f16 holds a decoder's gradients: a power of two. At the start, gradients grow by six
 * orders of magnitude from a decoder's output to its first norm, whose input hardly varies; with the weight that a
 * position has in a batch of 81 positions they stay in range, with 16 times that they overflow.
 */
export const lossScaleOf = ({ height, width }: Pick<GradConfig, "height" | "width">, batch: number): number =>
  Math.max(1, 2 ** Math.floor(Math.log2((batch * height * width) / SHARE)));

/** The most steps that a stage takes, given the number of images. */
export function stepsOf(
  stage: Stage,
  count: number,
  options: Omit<FitOptions, "seed" | "std" | "enoughHits" | "anomalyShare">,
): { readonly steps: number; readonly perEpoch: number; readonly epochs: number } {
  const perEpoch = Math.ceil(count / Math.min(options.batch, count));
  const [wanted, least] = {
    abnormal: [options.epochsAbnormal, options.leastAbnormal] as const,
    normal: [options.epochsNormal, options.leastNormal] as const,
    residual: [options.epochsResidual, options.leastResidual] as const,
  }[stage];
  const epochs = Math.max(wanted, Math.ceil(least / perEpoch)); // small sets get more
  return { steps: epochs * perEpoch, perEpoch, epochs };
}

/**
 * Describes a model's first NaN or infinity for an error message, such as "head.weight holds NaN at element 5"; null if
 * all tensors are finite.
 */
async function firstNonFinite({ weights }: Grad): Promise<string | null> {
  for (const [name, tensor] of weights.all()) {
    const found = nonFinite(await toArray(tensor));
    if (found) return `${name} holds ${found}`;
  }
  return null;
}

/** The optimiser of a stage's parameters, for gradients of a loss that is multiplied by `lossScale`. */
export function stageOptimizer(stage: Stage, model: Grad, lossScale = 1): AdamW {
  const { grids, others } = model.parameters(trainedIn(stage, model.config));
  const learningRate = stage === "residual" ? RESIDUAL_LEARNING_RATE : LEARNING_RATE;
  return new AdamW(
    [
      { parameters: grids, learningRate: GRID_LEARNING_RATE },
      { parameters: others, learningRate },
    ],
    { maxNorm: MAX_NORM, gradientScale: 1 / lossScale },
  );
}

/**
 * The training of a model on features, stage by stage. Between two steps it can be paused, saved and resumed to the
 * same bits. The same seed on the same adapter gives the same bits.
 */
export class GradTraining {
  readonly #model: Grad;
  readonly #features: FeatureSource;
  readonly #anomalies: AnomalySource | null;
  readonly #options: FitOptions;
  #position: FitPosition | null;
  #optimizer: AdamW | null = null;
  #steps: StageSteps | null = null;
  #order: readonly number[] | null = null; // of the images in this epoch

  /** @param anomalies real anomalies for stages 1 and 3; null if there are none */
  constructor(model: Grad, features: FeatureSource, options: FitOptions, anomalies: AnomalySource | null = null) {
    this.#model = model;
    this.#features = features;
    this.#anomalies = anomalies;
    this.#options = options;
    this.#position = { stage: stagesOf(model.config)[0]!, step: 0 };
    model.setResidualUnit(options.std);
  }

  /** The next step, or null after the last. */
  get position(): FitPosition | null {
    return this.#position;
  }

  /**
   * Takes steps until the end; leaving the loop pauses the training.
   * @throws DivergedError where a loss that was read is NaN or infinite
   */
  async *fit(): AsyncGenerator<FitStep, void> {
    while (this.#position) yield await this.#take(this.#position);
  }

  /** The optimiser's state besides the model's weights; null between stages. */
  async optimizerState(): Promise<OptimizerState | null> {
    return this.#optimizer?.state() ?? null;
  }

  /**
   * Resumes at another training's position, once the model has that training's weights.
   * @throws ShapeError for a position beyond this training's steps, or an optimiser of other parameters
   */
  resume(position: FitPosition | null, optimizer: OptimizerState | null): void {
    this.release();
    if (position) {
      const { stage, step } = position;
      const steps = stagesOf(this.#model.config).includes(stage)
        ? stepsOf(stage, this.#features.count, this.#options).steps
        : 0;
      if (!(step < steps))
        throw new ShapeError(`resume: expected a step before ${steps} of stage ${stage}, got ${step}`);
    }
    this.#position = position;
    if (!position || !optimizer) return;
    this.#optimizer = stageOptimizer(position.stage, this.#model, this.#options.lossScale);
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
  async #take({ stage, step }: FitPosition): Promise<FitStep> {
    const { count } = this.#features;
    const { steps, perEpoch, epochs } = stepsOf(stage, count, this.#options);
    const { seed, enoughHits } = this.#options;
    const batch = Math.min(this.#options.batch, count);
    const offset = STAGE_STREAMS * STAGES.indexOf(stage);
    this.#optimizer ??= stageOptimizer(stage, this.#model, this.#options.lossScale);
    this.#steps ??= new StageSteps(stage, this.#model, this.#optimizer, this.#options, offset);
    const epoch = Math.floor(step / perEpoch);
    const learningRateScale = this.#reconstructs(stage) && epoch >= Math.floor(DROP_AT * epochs) ? DROP_TO : 1;
    const nth = step % perEpoch;
    if (nth === 0 || !this.#order)
      this.#order = new RandomStream(seed, STREAM.order + offset, epoch).permutation(count);
    const images = this.#order.slice(nth * batch, (nth + 1) * batch);
    const anomalous = stage !== "normal" ? await this.#anomalous(images.length, step) : null;
    const chosen = await this.#features.batch(images.slice(anomalous?.mask.shape[0] ?? 0));
    const noisy = stage !== "residual" && new RandomStream(seed, STREAM.coin + offset, step).unit() < 0.5;
    await this.#steps.prepare(chosen, anomalous, noisy);
    const results = this.#steps.take(chosen, anomalous, noisy, step, learningRateScale);
    for (const used of [chosen, anomalous?.features, anomalous?.mask]) if (used) release(used);
    const done = step + 1;
    const [loss, hits] = await readResults(results, done % READ_EVERY === 0 || done === steps);
    if (loss !== null && !Number.isFinite(loss)) {
      const broken = await firstNonFinite(this.#model);
      const weights = broken ? `tensor ${broken}` : "all weights are still finite";
      throw new DivergedError(`training diverged: the loss at step ${done} of stage ${stage} is ${loss}; ${weights}`);
    }
    if (await tunePending(this.#model.weights.device)) this.#steps.recapture();
    if (done === steps || (hits?.every((share) => share > enoughHits) ?? false)) {
      this.release();
      this.#model.weights.device.trim(); // the next stage needs other sizes
      const stages = stagesOf(this.#model.config);
      const next = stages[stages.indexOf(stage) + 1];
      this.#position = next ? { stage: next, step: 0 } : null;
    } else this.#position = { stage, step: done };
    return { stage, title: TITLES[stage], step: done, steps, epoch, loss };
  }

  /** True for a stage that learns to reconstruct features, rather than to tell cells apart. */
  #reconstructs(stage: Stage): boolean {
    return stage === "normal" || (stage === "abnormal" && this.#model.config.abnormalTask === "restore");
  }

  /** Real anomalies that replace `anomalyShare` of a batch's images in this step; null if there are none. */
  async #anomalous(batch: number, step: number): Promise<MarkedFeatures | null> {
    const anomalies = this.#anomalies;
    if (!anomalies) return null;
    const order = new RandomStream(this.#options.seed, STREAM.anomalies, step).permutation(anomalies.count);
    const count = Math.max(1, Math.round(this.#options.anomalyShare * batch));
    return anomalies.batch(Array.from({ length: count }, (_, i) => order[i % order.length]!));
  }
}
