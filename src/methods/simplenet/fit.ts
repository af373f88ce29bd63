import { perlinMask } from "../../ops/perlin_mask.ts";
import { normal } from "../../ops/random.ts";
import { Adam, AdamW } from "../../optim/adam.ts";
import { RandomStream } from "../../tensor/random.ts";
import type { Fit, FitInput, StagePlan } from "../method.ts";
import { CapturedFit, ORDER_STREAM, scheduleOf, type ScheduleOptions } from "../parts/captured_fit.ts";
import { takeStep, type StepInputs, type StepResults } from "../parts/captured_steps.ts";
import { JointOptimizer } from "../parts/joint_optimizer.ts";
import type { SimpleNetConfig } from "./config.ts";
import { simpleNetLoss } from "./loss.ts";
import { SimpleNetModel } from "./model.ts";
import type { SimpleNetSettings } from "./options.ts";

const STAGE = "discriminator";
const TITLE = "Stage 1, discriminator";
const DISCRIMINATOR_DECAY = 1e-5;
const ADAPTOR_DECAY = 0.01;

// Philox streams, one for each use of random numbers.
const STREAM = { initial: 0, order: ORDER_STREAM, noise: 2, patches: 3 };

/** The stages of a fit to so many images. */
export const planOf = (_config: SimpleNetConfig, settings: ScheduleOptions, images: number): readonly StagePlan[] => [
  { stage: STAGE, steps: scheduleOf(images, settings).steps },
];

/** A model with its initial weights, drawn from a seed where they are not stored. */
export const newModel = (
  config: SimpleNetConfig,
  { weights, seed }: Pick<FitInput, "weights" | "seed">,
): SimpleNetModel => new SimpleNetModel(weights, config, new RandomStream(seed, STREAM.initial));

/** Adam for the discriminator and AdamW for the adaptor. */
export function optimizerOf(
  { parameters }: SimpleNetModel,
  { learningRate, adaptorLearningRate }: Pick<SimpleNetSettings, "learningRate" | "adaptorLearningRate">,
): JointOptimizer {
  return new JointOptimizer(
    new Adam([{ parameters: parameters.discriminator, learningRate }], { weightDecay: DISCRIMINATOR_DECAY }),
    new AdamW([{ parameters: parameters.adaptor, learningRate: adaptorLearningRate }], { weightDecay: ADAPTOR_DECAY }),
  );
}

/** The training of a model: a stage of steps. */
export class SimpleNetFit extends CapturedFit implements Fit {
  readonly model: SimpleNetModel;

  constructor(config: SimpleNetConfig, settings: SimpleNetSettings, input: FitInput) {
    const { weights, features, seed } = input;
    const model = newModel(config, input);
    super(
      "simplenet",
      weights,
      features,
      seed,
      [
        {
          stage: STAGE,
          title: TITLE,
          ...scheduleOf(features.count, settings),
          streams: 0,
          optimizer: () => optimizerOf(model, settings),
          work: (inputs) => trainStep(model, inputs, settings),
        },
      ],
      input.before,
    );
    this.model = model;
  }
}

function trainStep(
  model: SimpleNetModel,
  { features, drawOf, optimizer }: StepInputs,
  { noise: std, noiseRegion, margin }: SimpleNetSettings,
): StepResults {
  const { device } = features;
  const [images, height, width, channels] = features.shape as [number, number, number, number];
  const isPatchy = noiseRegion === "patches";
  const copies = [isPatchy ? 2 * images : images, height, width];
  return takeStep(optimizer, () => {
    const noise = normal(device, [...copies, channels], drawOf(STREAM.noise), std);
    const mask = isPatchy ? perlinMask(device, copies, drawOf(STREAM.patches)) : null;
    return () => [simpleNetLoss(model, features, { noise, mask }, margin)];
  });
}
