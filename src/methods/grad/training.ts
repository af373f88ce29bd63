import type { AdamW } from "../../optim/adam.ts";
import { RandomStream } from "../../tensor/random.ts";
import type { AnomalySource, FeatureSource, Json } from "../method.ts";
import { CapturedFit, scheduleOf, type GradientStage, type Schedule } from "../parts/captured_fit.ts";
import { gridParameters } from "../parts/grid_memory.ts";
import { gridOptimizer, noiseKind, reconstructionRate } from "../parts/grid_training.ts";
import type { GradConfig } from "./config.ts";
import { stagesOf, STAGES, TITLES, trainedIn, trainStep, STREAM, type FitOptions, type Stage } from "./stages.ts";
import type { Grad } from "./model.ts";

const RESIDUAL_LEARNING_RATE = 0.003;
const STAGE_STREAMS = 16; // between the stages' streams of random numbers

const SHARE = 256; // a position's loss weighs about one part in so many

/**
 * A factor of the loss with which f16 holds a decoder's gradients: a power of two. At the start, gradients grow by six
 * orders of magnitude from a decoder's output to its first norm, whose input hardly varies; with the weight that a
 * position has in a batch of 81 positions they stay in range, with 16 times that they overflow.
 */
export const lossScaleOf = ({ height, width }: Pick<GradConfig, "height" | "width">, batch: number): number =>
  Math.max(1, 2 ** Math.floor(Math.log2((batch * height * width) / SHARE)));

/** The length of a stage, given the number of images. */
export function stepsOf(
  stage: Stage,
  count: number,
  options: Omit<FitOptions, "seed" | "std" | "lossScale" | "enoughHits" | "anomalyShare">,
): Schedule {
  const [epochs, leastSteps] = {
    abnormal: [options.epochsAbnormal, options.leastAbnormal] as const,
    normal: [options.epochsNormal, options.leastNormal] as const,
    residual: [options.epochsResidual, options.leastResidual] as const,
  }[stage];
  return scheduleOf(count, { batch: options.batch, epochs, leastSteps });
}

/** The optimiser of a stage's parameters, for gradients of a loss that is multiplied by `lossScale`. */
export const stageOptimizer = (stage: Stage, { weights, config }: Grad, lossScale = 1): AdamW =>
  gridOptimizer(gridParameters(weights, trainedIn(stage, config)), {
    lossScale,
    ...(stage === "residual" && { learningRate: RESIDUAL_LEARNING_RATE }),
  });

/** The training of a model's grids on features, stage by stage. */
export class GradTraining extends CapturedFit {
  /**
   * @param anomalies real anomalies for stages 1 and 3; null if there are none
   * @param before configuration of the model that the weights are of, where they are trained already
   */
  constructor(
    model: Grad,
    features: FeatureSource,
    options: FitOptions,
    anomalies: AnomalySource | null = null,
    before?: Json,
  ) {
    const stages = stagesOf(model.config).map((stage) => stageOf(stage, model, features.count, options, anomalies));
    super("grad", model.weights, features, options.seed, stages, before);
    model.setResidualUnit(options.std);
  }
}

function stageOf(
  stage: Stage,
  model: Grad,
  count: number,
  options: FitOptions,
  anomalies: AnomalySource | null,
): GradientStage<Stage> {
  const { seed, enoughHits } = options;
  const schedule = stepsOf(stage, count, options);
  const streams = STAGE_STREAMS * STAGES.indexOf(stage);
  return {
    stage,
    title: TITLES[stage],
    ...schedule,
    streams,
    optimizer: () => stageOptimizer(stage, model, options.lossScale),
    work: (inputs) => trainStep(stage, model, inputs, options),
    ...(reconstructs(stage, model) && { learningRateScale: reconstructionRate(schedule) }),
    kind: (step) => (stage === "residual" ? 0 : noiseKind(seed, STREAM.coin + streams, step)),
    anomalies: async (images, step) =>
      anomalies && stage !== "normal" ? drawnAnomalies(anomalies, options, images, step) : null,
    isEnough: (hits) => hits.every((share) => share > enoughHits),
  };
}

/** True for a stage that learns to reconstruct features, rather than to tell cells apart. */
const reconstructs = (stage: Stage, { config }: Grad): boolean =>
  stage === "normal" || (stage === "abnormal" && config.abnormalTask === "restore");

/** Real anomalies for `anomalyShare` of a batch's images in this step. */
function drawnAnomalies(
  anomalies: AnomalySource,
  { seed, anomalyShare }: FitOptions,
  images: number,
  step: number,
): ReturnType<AnomalySource["batch"]> {
  const order = new RandomStream(seed, STREAM.anomalies, step).permutation(anomalies.count);
  const count = Math.max(1, Math.round(anomalyShare * images));
  return anomalies.batch(Array.from({ length: count }, (_, i) => order[i % order.length]!));
}
