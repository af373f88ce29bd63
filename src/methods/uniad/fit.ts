import type { Dropping } from "../../nn/attention.ts";
import { dropout } from "../../ops/dropout.ts";
import { add, multiply } from "../../ops/elementwise.ts";
import { normal, type Draw } from "../../ops/random.ts";
import { l2Norm } from "../../ops/rows.ts";
import { reshape } from "../../ops/shape.ts";
import { AdamW } from "../../optim/adam.ts";
import { stepLearningRate } from "../../optim/schedule.ts";
import { RandomStream } from "../../tensor/random.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Fit, FitInput, StagePlan } from "../method.ts";
import { CapturedFit, ORDER_STREAM, scheduleOf, type Schedule } from "../parts/captured_fit.ts";
import { takeStep } from "../parts/captured_steps.ts";
import type { UniAdConfig } from "./config.ts";
import { UniAdModel } from "./model.ts";
import type { UniAdSettings } from "./options.ts";

const STAGE = "reconstruction";
const MAX_NORM = 0.1;
const [DROP_AT, DROP_TO] = [0.8, 0.1]; // of the epochs, and of the learning rate

// Philox streams, one for each use of random numbers; each place of dropout has one of its own, from the last on.
const STREAM = { initial: 0, order: ORDER_STREAM, coin: 2, jitter: 3, dropout: 4 };

const lengthOf = ({ batch, steps }: Pick<UniAdSettings, "batch" | "steps">, images: number): Schedule =>
  scheduleOf(images, { batch, epochs: 0, leastSteps: steps });

/** The stages of a fit to so many images. */
export const planOf = (_config: UniAdConfig, settings: UniAdSettings, images: number): readonly StagePlan[] => [
  { stage: STAGE, steps: lengthOf(settings, images).steps },
];

/** A model with its initial weights, drawn from a seed where they are not stored. */
export const newModel = (config: UniAdConfig, { weights, seed }: Pick<FitInput, "weights" | "seed">): UniAdModel =>
  new UniAdModel(weights, config, new RandomStream(seed, STREAM.initial));

/** AdamW of all parameters, with gradients of a norm of at most 0.1. */
export const optimizerOf = (
  { weights }: UniAdModel,
  { learningRate, weightDecay }: Pick<UniAdSettings, "learningRate" | "weightDecay">,
): AdamW =>
  new AdamW([{ parameters: [...weights.parameters.values()], learningRate }], { weightDecay, maxNorm: MAX_NORM });

/**
 * Features `[N, H, W, C]` with noise: normal, of a standard deviation of jitter / C times the length of the cell's
 * features.
 */
export function jittered(features: Tensor, jitter: number, draw: Draw): Tensor {
  const { device, shape } = features;
  const lengths = reshape(l2Norm(features), [...shape.slice(0, -1), 1]);
  return add(features, multiply(normal(device, shape, draw, jitter / shape.at(-1)!), lengths));
}

/** Dropout of that probability at any number of places, each with a stream of random numbers from the first on. */
export function droppingOf(probability: number, drawOf: (place: number) => Draw): Dropping {
  let place = 0;
  return () => {
    const draw = drawOf(place++);
    return (input) => (probability === 0 ? input : dropout(input, draw, { probability }));
  };
}

// kinds of steps
const [PLAIN, JITTERED] = [0, 1];

/** The training of a model: a stage of steps. */
export class UniAdFit extends CapturedFit implements Fit {
  readonly model: UniAdModel;

  constructor(config: UniAdConfig, settings: UniAdSettings, input: FitInput) {
    const { weights, features, seed } = input;
    const { jitter, jitterShare, dropout: probability } = settings;
    const model = newModel(config, input);
    const length = lengthOf(settings, features.count);
    const every = Math.max(1, Math.floor(DROP_AT * length.epochs));
    super(
      "uniad",
      weights,
      features,
      seed,
      [
        {
          stage: STAGE,
          title: "Stage 1, reconstruction",
          ...length,
          streams: 0,
          optimizer: () => optimizerOf(model, settings),
          learningRateScale: (epoch) => stepLearningRate(epoch, { every, factor: DROP_TO }),
          kind: (step) => (new RandomStream(seed, STREAM.coin, step).unit() < jitterShare ? JITTERED : PLAIN),
          work: ({ features: good, kind, drawOf, optimizer }) =>
            takeStep(optimizer, () => {
              const seen = kind === JITTERED ? jittered(good, jitter, drawOf(STREAM.jitter)) : good;
              const dropping = droppingOf(probability, (place) => drawOf(STREAM.dropout + place));
              return () => [model.loss(good, seen, dropping)];
            }),
        },
      ],
      input.before,
    );
    this.model = model;
  }
}
