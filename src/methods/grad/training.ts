import { AdamW } from "../../optim/adam.ts";
import { RandomStream } from "../../tensor/random.ts";
import type { AnomalySource, FeatureSource, MarkedFeatures } from "../method.ts";
import { GradientTraining, stageLength, type GradientStage, type StageLength } from "../parts/gradient_training.ts";
import type { Grad } from "./model.ts";
import { stagesOf, STAGES, STREAM, TITLES, trainedIn, trainStep, type FitOptions, type Stage } from "./stages.ts";

const LEARNING_RATE = 0.001;
const RESIDUAL_LEARNING_RATE = 0.003;
const GRID_LEARNING_RATE = 0.1;
const MAX_NORM = 0.1;
const DROP_AT = 0.8; // of a stage that learns to reconstruct: the learning rates fall
const DROP_TO = 0.1;
const NOISY = "noisy"; // steps that disturb coordinates
const STAGE_STREAMS = 16; // between the stages' streams of random numbers

/** The most steps that a stage takes, given the number of images. */
export function stepsOf(
  stage: Stage,
  count: number,
  options: Omit<FitOptions, "seed" | "std" | "enoughHits" | "anomalyShare">,
): StageLength {
  const [epochs, least] = {
    abnormal: [options.epochsAbnormal, options.leastAbnormal] as const,
    normal: [options.epochsNormal, options.leastNormal] as const,
    residual: [options.epochsResidual, options.leastResidual] as const,
  }[stage];
  return stageLength(count, options.batch, epochs, least);
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

/**
 * The training of a model on features, stage by stage. Between two steps it can be paused, saved and resumed to the
 * same bits. The same seed on the same adapter gives the same bits.
 */
export class GradTraining extends GradientTraining<Stage> {
  /** @param anomalies real anomalies for stages 1 and 3; null if there are none */
  constructor(model: Grad, features: FeatureSource, options: FitOptions, anomalies: AnomalySource | null = null) {
    const { batch, seed, std } = options;
    super(
      { owner: "GRAD", weights: model.weights, images: features.count, batch, seed },
      stagesOf(model.config).map((stage) => gradientStage(stage, model, features, options, anomalies)),
    );
    model.setResidualUnit(std);
  }
}

function gradientStage(
  stage: Stage,
  model: Grad,
  features: FeatureSource,
  options: FitOptions,
  anomalies: AnomalySource | null,
): GradientStage<Stage> {
  const { seed, enoughHits } = options;
  const length = stepsOf(stage, features.count, options);
  const streams = STAGE_STREAMS * STAGES.indexOf(stage);
  const reconstructs = stage === "normal" || (stage === "abnormal" && model.config.abnormalTask === "restore");
  return {
    stage,
    title: TITLES[stage],
    ...length,
    streams,
    optimizer: () => stageOptimizer(stage, model),
    learningRateScale: (epoch) => (reconstructs && epoch >= Math.floor(DROP_AT * length.epochs) ? DROP_TO : 1),
    inputs: async (images, step) => {
      const anomalous =
        anomalies && stage !== "normal" ? await anomaliesFor(anomalies, images.length, step, options) : null;
      const chosen = await features.batch(images.slice(anomalous?.mask.shape[0] ?? 0));
      const noisy = stage !== "residual" && new RandomStream(seed, STREAM.coin + streams, step).unit() < 0.5;
      return {
        tensors: [chosen, ...(anomalous ? [anomalous.features, anomalous.mask] : [])],
        kind: noisy ? NOISY : "",
      };
    },
    take: ({ tensors: [chosen, marked, mask], kind }, optimizer, step) => {
      const anomalous = marked && mask ? { features: marked, mask } : null;
      const drawOf = (use: number) => ({ seed, stream: use + streams, step });
      return trainStep(stage, model, optimizer, chosen!, anomalous, kind === NOISY, drawOf, options);
    },
    isEnough: ([, hits]) => hits?.every((share) => share > enoughHits) ?? false,
  };
}

/** Real anomalies that replace `anomalyShare` of a batch's images in a step. */
function anomaliesFor(
  anomalies: AnomalySource,
  batch: number,
  step: number,
  { seed, anomalyShare }: FitOptions,
): Promise<MarkedFeatures> {
  const order = new RandomStream(seed, STREAM.anomalies, step).permutation(anomalies.count);
  const count = Math.max(1, Math.round(anomalyShare * batch));
  return anomalies.batch(Array.from({ length: count }, (_, i) => order[i % order.length]!));
}
