import { AdamW } from "../../optim/adam.ts";
import { featureBlockPaste } from "../../ops/feature_block_paste.ts";
import { gradients } from "../../ops/gradients.ts";
import { hingeLoss, reconstructionLoss } from "../../ops/losses.ts";
import { normal } from "../../ops/random.ts";
import { reshape, slice } from "../../ops/shape.ts";
import { RandomStream } from "../../tensor/random.ts";
import { release, toArray, type Tensor } from "../../tensor/tensor.ts";
import { blockOptions } from "./config.ts";
import { isGrid, type Grad } from "./model.ts";

export interface FitOptions {
  /** Of the first stage, which teaches the abnormal grid pasted blocks. */
  readonly epochsAbnormal: number;
  /** Of the second stage, which teaches both to reconstruct. */
  readonly epochsNormal: number;
  readonly batch: number;
  readonly seed: number;
  /** Variance of the features, over all channels and positions: the unit of the pasted blocks. */
  readonly featureVariance: number;
}

export type Stage = "abnormal" | "normal";

/** Where training stands after a step. */
export interface FitStep {
  readonly stage: Stage;
  readonly step: number;
  /** Steps of this stage, at most. */
  readonly steps: number;
  readonly epoch: number;
  /** Read back now and then; null in between. */
  readonly loss: number | null;
}

const RATE = 0.001;
const GRID_RATE = 0.1;
const MAX_NORM = 0.1;
const DROP_AT = 0.8; // of the second stage, where the learning rates fall
const DROP_TO = 0.1;
const LEAST_STEPS = { abnormal: 50, normal: 500 }; // small sets get more epochs
const ENOUGH_HITS = 0.99; // of both kinds, ends the first stage
const READ_EVERY = 10;
const CODE_NOISE = 0.05;

// Philox streams, one for each use of random numbers.
const STREAM = { order: 1, coin: 2, noise: 3, blocks: 4 };

/** The features of good images, as batches of them are asked for. */
export interface FeatureSource {
  readonly count: number;
  /** `[B, H, W, C]`, f32, of the images with these indices; whoever asks releases it. */
  readonly batch: (indices: readonly number[]) => Promise<Tensor>;
}

/**
 * Trains a model on features, in two stages; yields after every step. The same seed on the same adapter gives the same bits.
 */
export async function* fit(model: Grad, features: FeatureSource, options: FitOptions): AsyncGenerator<FitStep, void> {
  yield* runStage("abnormal", model, features, options);
  yield* runStage("normal", model, features, options);
}

async function* runStage(stage: Stage, model: Grad, features: FeatureSource, options: FitOptions): AsyncGenerator<FitStep, void> {
  const { seed } = options;
  const batch = Math.min(options.batch, features.count);
  const perEpoch = Math.ceil(features.count / batch);
  const epochs = Math.max(stage === "abnormal" ? options.epochsAbnormal : options.epochsNormal, Math.ceil(LEAST_STEPS[stage] / perEpoch));
  const steps = epochs * perEpoch;
  const { grids, others } = model.parameters(trainedIn(stage));
  const optimizer = new AdamW([{ parameters: grids, rate: GRID_RATE }, { parameters: others, rate: RATE }], { maxNorm: MAX_NORM });
  const stageStream = stage === "abnormal" ? 0 : 16;
  const order = new RandomStream(seed, STREAM.order + stageStream);
  const coin = new RandomStream(seed, STREAM.coin + stageStream);

  let step = 0;
  for (let epoch = 0; epoch < epochs; epoch++) {
    const permutation = order.permutation(features.count);
    for (let first = 0; first < features.count; first += batch) {
      const chosen = await features.batch(permutation.slice(first, first + batch));
      const noisy = coin.unit() < 0.5;
      const rateScale = stage === "normal" && epoch >= Math.floor(DROP_AT * epochs) ? DROP_TO : 1;
      const stream = (use: number) => ({ seed, stream: use + stageStream, step });
      const results = trainStep(stage, model, optimizer, chosen, noisy, stream, options, rateScale);
      release(chosen);
      step++;
      const read = step % READ_EVERY === 0 || step === steps;
      const [loss, hits] = await readResults(results, read);
      yield { stage, step, steps, epoch, loss };
      if (hits && hits.every((share) => share > ENOUGH_HITS)) {
        optimizer.release();
        return;
      }
    }
  }
  optimizer.release();
}

/** The first stage trains what the abnormal branch needs; the second everything but the abnormal grids. */
const trainedIn = (stage: Stage) => (name: string): boolean =>
  stage === "abnormal" ? name.startsWith("abnormal.") || name.startsWith("head.") : !(name.startsWith("abnormal.") && isGrid(name));

/** One step of either stage. Returns the loss, and in the first stage the hit rates. */
function trainStep(
  stage: Stage,
  model: Grad,
  optimizer: AdamW,
  features: Tensor,
  noisy: boolean,
  drawOf: (use: number) => { seed: number; stream: number; step: number },
  { featureVariance }: FitOptions,
  rateScale: number,
): readonly Tensor[] {
  const [{ device }, { config }] = [features, model];
  using scope = device.scope();
  const [batch, height, width] = features.shape as [number, number, number];
  const noise = noisy ? normal(device, [batch, height, width, 2], drawOf(STREAM.noise), CODE_NOISE) : null;
  const { results, grads } = gradients(() => {
    if (stage === "normal") {
      const reconstruction = model.reconstruct(model.codes(features, noise), "training");
      return [reconstructionLoss(features, reconstruction, { threshold: config.similarityThreshold })];
    }
    const pasted = featureBlockPaste(features, drawOf(STREAM.blocks), blockOptions(config, featureVariance));
    const reconstruction = model.abnormal(model.codes(pasted.features, noise), "training");
    const scores = reshape(slice(reconstruction, 0, 1), [batch, height, width]);
    const { loss, hits } = hingeLoss(scores, pasted.mask, { threshold: config.hinge });
    return [loss, hits];
  }, optimizer.parameters);
  optimizer.step(grads, rateScale);
  for (const result of results) scope.keep(result);
  return results;
}

/** Reads the results where wanted, and gives their storage back. */
async function readResults(results: readonly Tensor[], wanted: boolean): Promise<readonly [loss: number | null, hits: Float32Array | null]> {
  const device = results[0]!.device;
  const reads = wanted ? results.map((result) => toArray(result)) : [];
  for (const { allocation } of results) device.release(allocation);
  device.submit();
  const [loss, hits] = await Promise.all(reads);
  return [loss ? loss[0]! : null, hits ?? null];
}
