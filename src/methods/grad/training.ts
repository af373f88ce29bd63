import { AdamW } from "../../optim/adam.ts";
import { RandomStream } from "../../tensor/random.ts";
import type { AnomalySource, FeatureSource } from "../method.ts";
import { CapturedFit, scheduleOf, type GradientStage, type Schedule } from "../parts/captured_fit.ts";
import { stagesOf, STAGES, TITLES, trainedIn, trainStep, STREAM, type FitOptions, type Stage } from "./stages.ts";
import type { Grad } from "./model.ts";

const LEARNING_RATE = 0.001;
const RESIDUAL_LEARNING_RATE = 0.003;
const GRID_LEARNING_RATE = 0.1;
const MAX_NORM = 0.1;
const DROP_AT = 0.8; // of a stage that learns to reconstruct: the learning rates fall
const DROP_TO = 0.1;
const STAGE_STREAMS = 16; // between the stages' streams of random numbers

/** The length of a stage, given the number of images. */
export function stepsOf(
  stage: Stage,
  count: number,
  options: Omit<FitOptions, "seed" | "std" | "enoughHits" | "anomalyShare">,
): Schedule {
  const [epochs, leastSteps] = {
    abnormal: [options.epochsAbnormal, options.leastAbnormal] as const,
    normal: [options.epochsNormal, options.leastNormal] as const,
    residual: [options.epochsResidual, options.leastResidual] as const,
  }[stage];
  return scheduleOf(count, { batch: options.batch, epochs, leastSteps });
}

/** The optimiser of a stage's parameters. */
export function stageOptimizer(stage: Stage, model: Grad): AdamW {
  const { grids, others } = model.parameters(trainedIn(stage, model.config));
  const learningRate = stage === "residual" ? RESIDUAL_LEARNING_RATE : LEARNING_RATE;
  return new AdamW(
    [
      { parameters: grids, learningRate: GRID_LEARNING_RATE },
      { parameters: others, learningRate },
    ],
    { maxNorm: MAX_NORM },
  );
}

/** The training of a model's grids on features, stage by stage. */
export class GradTraining extends CapturedFit {
  /** @param anomalies real anomalies for stages 1 and 3; null if there are none */
  constructor(model: Grad, features: FeatureSource, options: FitOptions, anomalies: AnomalySource | null = null) {
    const stages = stagesOf(model.config).map((stage) => stageOf(stage, model, features.count, options, anomalies));
    super("grad", model.weights, features, options.seed, stages);
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
  const dropAt = reconstructs(stage, model) ? Math.floor(DROP_AT * schedule.epochs) : Infinity;
  return {
    stage,
    title: TITLES[stage],
    ...schedule,
    streams,
    optimizer: () => stageOptimizer(stage, model),
    work: (inputs) => trainStep(stage, model, inputs, options),
    learningRateScale: (epoch) => (epoch >= dropAt ? DROP_TO : 1),
    isNoisy: (step) => stage !== "residual" && new RandomStream(seed, STREAM.coin + streams, step).unit() < 0.5,
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
