import { randomSets } from "../../ops/random_sets.ts";
import { Adam } from "../../optim/adam.ts";
import { RandomStream } from "../../tensor/random.ts";
import type { Fit, FitInput, StagePlan } from "../method.ts";
import { CapturedFit, ORDER_STREAM, scheduleOf, type ScheduleOptions } from "../parts/captured_fit.ts";
import { takeStep, type StepInputs, type StepResults } from "../parts/captured_steps.ts";
import { gridShape, hiddenPixels, PASSES } from "./cells.ts";
import type { RiadConfig } from "./config.ts";
import { RiadModel } from "./model.ts";
import type { RiadSettings } from "./options.ts";

const STAGE = "inpainting";
const TITLE = "Stage 1, inpainting";
const DROP_AT = 5 / 6; // of the epochs: the learning rate falls
const DROP_TO = 0.1;

// Philox streams of what is drawn in each step; those of a model have other numbers.
const STREAM = { order: ORDER_STREAM, size: 2, cells: 3 };

/** The stages of a fit to so many images. */
export const planOf = (_config: RiadConfig, settings: ScheduleOptions, images: number): readonly StagePlan[] => [
  { stage: STAGE, steps: scheduleOf(images, settings).steps },
];

/** Adam for all parameters. */
export const optimizerOf = ({ weights }: RiadModel, { learningRate }: Pick<RiadSettings, "learningRate">): Adam =>
  new Adam([{ parameters: [...weights.parameters.values()], learningRate }]);

/** The training of a model: a stage of steps, each of which hides squares of one size. */
export class RiadFit extends CapturedFit implements Fit {
  readonly model: RiadModel;

  constructor(config: RiadConfig, settings: RiadSettings, input: FitInput) {
    const { weights, features, seed } = input;
    const model = new RiadModel(weights, config, seed);
    const length = scheduleOf(features.count, settings);
    const { cellSizes } = config;
    super(
      "riad",
      weights,
      features,
      seed,
      [
        {
          stage: STAGE,
          title: TITLE,
          ...length,
          streams: 0,
          optimizer: () => optimizerOf(model, settings),
          learningRateScale: (epoch) => (epoch >= Math.floor(DROP_AT * length.epochs) ? DROP_TO : 1),
          kind: (step) => cellSizes[new RandomStream(seed, STREAM.size, step).word() % cellSizes.length]!,
          work: (inputs) => trainStep(model, inputs, settings),
        },
      ],
      input.before,
    );
    this.model = model;
  }
}

function trainStep(
  model: RiadModel,
  { features, kind: cellSize, drawOf, optimizer }: StepInputs,
  settings: RiadSettings,
): StepResults {
  const { seen } = model;
  return takeStep(optimizer, () => {
    const passes = randomSets(features.device, gridShape(seen, cellSize), PASSES, drawOf(STREAM.cells));
    const hidden = hiddenPixels(passes, cellSize, seen);
    const images = model.reduce(features);
    return () => [model.losses(images, hidden, settings)[0]];
  });
}
