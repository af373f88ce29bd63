import { RandomStream } from "../../tensor/random.ts";
import type { Fit, FitInput, StagePlan } from "../method.ts";
import { CapturedFit, ORDER_STREAM, scheduleOf, type ScheduleOptions } from "../parts/captured_fit.ts";
import { takeStep } from "../parts/captured_steps.ts";
import { gridParameters } from "../parts/grid_memory.ts";
import { codeNoise, gridOptimizer, noiseKind, NOISY, reconstructionRate } from "../parts/grid_training.ts";
import type { CradConfig } from "./config.ts";
import { CradModel } from "./model.ts";
import type { CradSettings } from "./options.ts";

const STAGE = "reconstruction";

// Philox streams, one for each use of random numbers.
const STREAM = { initial: 0, order: ORDER_STREAM, coin: 2, noise: 3 };

/** The stages of a fit to so many images. */
export const planOf = (_config: CradConfig, settings: ScheduleOptions, images: number): readonly StagePlan[] => [
  { stage: STAGE, steps: scheduleOf(images, settings).steps },
];

/** A model with its initial weights, drawn from a seed where they are not stored. */
export const newModel = (
  config: CradConfig,
  { weights, seed }: Pick<FitInput, "weights" | "seed">,
  recompute = false,
): CradModel => new CradModel(weights, config, new RandomStream(seed, STREAM.initial), recompute);

/** The training of a model: a stage of steps. */
export class CradFit extends CapturedFit implements Fit {
  readonly model: CradModel;

  constructor(config: CradConfig, settings: CradSettings, input: FitInput) {
    const { weights, features, seed } = input;
    const model = newModel(config, input, settings.recompute);
    const length = scheduleOf(features.count, settings);
    super(
      "crad",
      weights,
      features,
      seed,
      [
        {
          stage: STAGE,
          title: "Stage 1, reconstruction",
          ...length,
          streams: 0,
          optimizer: () => gridOptimizer(gridParameters(weights)),
          learningRateScale: reconstructionRate(length),
          kind: (step) => noiseKind(seed, STREAM.coin, step),
          work: ({ features, kind, drawOf, optimizer }) =>
            takeStep(optimizer, () => {
              const noise = kind === NOISY ? codeNoise(features, drawOf(STREAM.noise)) : null;
              return () => [model.loss(features, noise)];
            }),
        },
      ],
      input.before,
    );
    this.model = model;
  }
}
