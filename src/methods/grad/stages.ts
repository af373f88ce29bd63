import { featureBlockPaste } from "../../ops/feature_block_paste.ts";
import { cosinePairLoss, hingeLoss, reconstructionLoss } from "../../ops/losses.ts";
import { drawPairs, type FeaturePairs } from "../../ops/pairs.ts";
import type { Draw } from "../../ops/random.ts";
import { concat, reshape } from "../../ops/shape.ts";
import { countOf, type Tensor } from "../../tensor/tensor.ts";
import type { MarkedFeatures } from "../method.ts";
import { ORDER_STREAM } from "../parts/captured_fit.ts";
import { takeStep, type StepInputs, type StepResults } from "../parts/captured_steps.ts";
import { isGrid } from "../parts/grid_memory.ts";
import { codeNoise, NOISY } from "../parts/grid_training.ts";
import type { GradConfig } from "./config.ts";
import type { GradSettings } from "./options.ts";
import type { Grad } from "./model.ts";

/** Length and data of a training. */
export interface FitOptions extends Pick<
  GradSettings,
  | "epochsAbnormal"
  | "epochsNormal"
  | "epochsResidual"
  | "leastAbnormal"
  | "leastNormal"
  | "leastResidual"
  | "enoughHits"
  | "batch"
  | "anomalyShare"
> {
  readonly seed: number;
  /** `[C]`: of each channel of the features, over all positions: the unit of random directions. */
  readonly std: Tensor;
  /** Multiplies the loss that is differentiated, so that f16 holds its gradients; a power of two. Default 1. */
  readonly lossScale?: number;
}

/** The stages, in order. */
export const STAGES = ["abnormal", "normal", "residual"] as const;
/**
 * The first stage teaches the abnormal branch pasted blocks, to detect them or to restore what was there before; the
 * second everything to reconstruct; the third the residual's hinge pasted blocks.
 */
export type Stage = (typeof STAGES)[number];
/** Titles of the stages, for people. */
export const TITLES: Readonly<Record<Stage, string>> = {
  abnormal: "Stage 1, abnormal grid",
  normal: "Stage 2, reconstruction",
  residual: "Stage 3, hinge on the residual",
};

// Philox streams, one for each use of random numbers.
export const STREAM = { order: ORDER_STREAM, coin: 2, noise: 3, blocks: 4, pairs: 5, anomalies: 6 };

/** The stages of a model's training. */
export const stagesOf = ({ branches, residualWeight }: GradConfig): readonly Stage[] => [
  ...(branches === "normal" ? [] : ["abnormal" as const]),
  "normal",
  ...(residualWeight > 0 ? ["residual" as const] : []),
];

/**
 * Selects the parameters that a stage trains: the first what the abnormal branch needs; the second all but what is to
 * stay as the first left it; the third its hinge.
 */
export const trainedIn =
  (stage: Stage, { freeze }: GradConfig) =>
  (name: string): boolean => {
    const isAbnormal = name.startsWith("abnormal.");
    const isResidual = name.startsWith("residual.");
    if (stage === "residual" || isResidual) return stage === "residual" && isResidual;
    if (stage === "abnormal") return isAbnormal || name.startsWith("head.");
    return !isAbnormal || (freeze === "grids" && !isGrid(name));
  };

/** Inputs of a stage's loss. */
export interface StageInputs {
  /** `[N, H, W, C]`: disturbed, in the second stage clean. */
  readonly features: Tensor;
  /** `[N, H, W, C]`: the same without the disturbance, in the first stage where it restores them; else null. */
  readonly clean: Tensor | null;
  /** `[N, H, W]`, where they were disturbed. */
  readonly mask: Tensor | null;
  /** `[N, H, W, 2]`, on the local coordinates; null for none. */
  readonly noise: Tensor | null;
  /** Pairs of positions that the hinge compares; null in other modes. */
  readonly pairs: FeaturePairs | null;
  /** `[N, H, W, C]`, of the features, in the third stage; null elsewhere. */
  readonly reconstruction: Tensor | null;
}

/**
 * The loss `[1]` of a stage; where blocks are detected also the shares of hits `[2]`, among the marked positions and
 * the others.
 */
export function stageLoss(
  stage: Stage,
  model: Grad,
  { features, clean, mask, noise, pairs, reconstruction }: StageInputs,
): readonly [loss: Tensor, ...hits: Tensor[]] {
  const { config } = model;
  if (stage === "normal") {
    // A branch that is to stay as it is keeps its running statistics too.
    const learnt = model.reconstruct(
      features,
      noise,
      "training",
      config.freeze === "branch" ? "inference" : "training",
    );
    return [reconstructionLoss(features, learnt, { threshold: config.similarityThreshold })];
  }
  if (stage === "residual") {
    const { loss, hits } = hingeLoss(model.residualScores(features, reconstruction!), mask!, {
      threshold: config.hinge,
    });
    return [loss, hits];
  }
  const abnormal = model.abnormal(features, noise, "training");
  if (clean) return [reconstructionLoss(clean, abnormal, { threshold: config.similarityThreshold })];
  const { loss, hits } = pairs
    ? cosinePairLoss(reshape(abnormal, [countOf(mask!.shape), config.channels]), pairs.pairs, pairs.similar, {
        threshold: config.hinge,
      })
    : hingeLoss(model.hingeScores(abnormal), mask!, { threshold: config.hinge });
  return [loss, hits];
}

/** Inputs of the first and third stage: blocks pasted into good features, then real anomalies, if any. */
function markedFeatures(
  features: Tensor,
  anomalous: MarkedFeatures | null,
  draw: Draw,
  { paste }: GradConfig,
  std: Tensor,
): MarkedFeatures {
  if (anomalous && features.shape[0] === 0) return anomalous;
  const pasted = featureBlockPaste(features, draw, { ...paste, std });
  if (!anomalous) return pasted;
  return { features: concat([pasted.features, anomalous.features], 0), mask: concat([pasted.mask, anomalous.mask], 0) };
}

/**
 * One step of a stage, outside the second with real anomalies or none. Its results are the loss, and where blocks are
 * told apart the hit rates.
 */
export function trainStep(
  stage: Stage,
  model: Grad,
  { features, marked, kind, drawOf, optimizer }: StepInputs,
  { std, lossScale }: Pick<FitOptions, "std" | "lossScale">,
): StepResults {
  const { config } = model;
  return takeStep(
    optimizer,
    () => {
      const seen =
        stage === "normal"
          ? { features, mask: null }
          : markedFeatures(features, marked, drawOf(STREAM.blocks), config, std);
      const noise = kind === NOISY ? codeNoise(seen.features, drawOf(STREAM.noise)) : null;
      const pairs =
        stage === "abnormal" && config.pairs === "cosine"
          ? drawPairs(seen.mask!, config.pairCount, drawOf(STREAM.pairs))
          : null;
      const reconstruction = stage === "residual" ? model.reconstruct(seen.features, null, "inference") : null;
      const clean = stage === "abnormal" && config.abnormalTask === "restore" ? features : null;
      return () => stageLoss(stage, model, { ...seen, clean, noise, pairs, reconstruction });
    },
    lossScale,
  );
}
