import { isWhole } from "../../io/json.ts";
import type { OptimizerState } from "../../optim/optimizer.ts";
import type { Weights } from "../../nn/weights.ts";
import { ShapeError } from "../../runtime/errors.ts";
import { RandomStream } from "../../tensor/random.ts";
import { release, toArray, type Tensor } from "../../tensor/tensor.ts";
import { defineMethod } from "../define_method.ts";
import type { CellScores, Fit, FitInput, FitState, FitStep, Json, Model, StagePlan } from "../method.ts";
import { fieldsOf } from "../parts/fields.ts";
import { stepsLeft } from "../parts/stages.ts";
import { gradConfig, REFERENCE_VARIANCE, type GradConfig } from "./config.ts";
import { readConfig, type KeptConfig } from "./kept_config.ts";
import { STAGES, stagesOf } from "./stages.ts";
import { anomalyCells, HINGES, HingeStatistics, joined, type HingeJoins } from "./hinges.ts";
import { Grad } from "./model.ts";
import { GRAD_OPTIONS, type GradSettings } from "./options.ts";
import { GradTraining, stepsOf, type FitPosition } from "./training.ts";

const INITIAL_STREAM = 0;
// GRAD's similarity is a cosine, of vectors from zero. Were zero the mean, it would say how far a cell is from the
// mean, not how well it is reconstructed; so the mean lies apart from zero, in each channel by so many deviations
// (docs/decisions/006-embedded-filters.md).
const MEAN = 0.7;
const [SMOOTHING, WINDOW] = [21, 32]; // pixels at an input of 224

/** The stages of a fit to so many images. */
const planOf = (config: GradConfig, options: GradSettings, images: number): readonly StagePlan[] =>
  stagesOf(config).map((stage) => ({ stage, steps: stepsOf(stage, images, options).steps }));

/**
 * GRAD: reconstructs features from a normal and an abnormal grid, at coordinates that it derives from them.
 * @see "Bi-Grid Reconstruction for Image Anomaly Detection", 2025
 */
export const grad = defineMethod({
  name: "grad",
  title: "GRAD",
  source: "Bi-Grid Reconstruction for Image Anomaly Detection, 2025",
  options: GRAD_OPTIONS,
  learnsAnomalies: ({ branches }) => branches !== "normal",
  assembly: (_options, { stages, standardise }) => ({
    stages: stages.map(({ name }) => name),
    localMean: 1,
    cells: "finest",
    enlarge: "bilinear",
    alignCorners: true,
    channels: "all",
    standardise: standardise ? { mean: MEAN, variance: REFERENCE_VARIANCE } : null,
  }),
  scoring: {
    alignCorners: true,
    smoothing: { kind: "box", side: SMOOTHING },
    image: { kind: "windowMean", side: WINDOW },
  },
  configure: (spec, options): KeptConfig => ({ ...gradConfig(spec, options), joins: {} }),
  plan: planOf,
  begin: (config, options, input) => new GradFit(config, options, input),
  restore: (config, weights) => new GradModel(weights, config),
  read: readConfig,
  upgraded: async (config) => (await import("./version3.ts")).upgraded(config),
});

/** A model, and how its hinges join. */
class GradModel implements Model {
  readonly weights: Weights;
  readonly grad: Grad;
  #joins: HingeJoins;

  constructor(weights: Weights, { joins, ...config }: KeptConfig, recompute = false, seed = 0) {
    this.weights = weights;
    this.grad = new Grad(weights, config, new RandomStream(seed, INITIAL_STREAM), recompute);
    this.#joins = joins;
  }

  get config(): Json {
    return { ...this.grad.config, joins: this.#joins };
  }

  score(features: Tensor): CellScores {
    const cells = anomalyCells(this.grad, features);
    const map = joined(cells, this.#joins, "abnormal") ?? cells.errors;
    const image = joined(cells, this.#joins, "residual");
    return image ? { map, image } : { map };
  }

  /**
   * Measures how the hinges' scores join the errors: by their spread over good images that this model was not trained
   * on, or where it saw all, over those that the models of the folds before it did not. Where there are none of either
   * they do not join: a hinge is too sure of images that it knows.
   */
  async adjust(heldOut: AsyncIterable<Tensor>, carried: Json): Promise<Json> {
    const { hingeWeight, residualWeight } = this.grad.config;
    const all = HingeStatistics.from(carried);
    if (hingeWeight === 0 && residualWeight === 0) return all.state;
    const own = new HingeStatistics();
    for await (const features of heldOut) {
      const reads = this.#cells(features);
      release(features);
      const [errors, ...scores] = await reads;
      const hinges = Object.fromEntries(HINGES.map((name, i) => [name, scores[i]]));
      for (const statistics of [own, all]) statistics.add(errors!, hinges);
    }
    const statistics = own.isEmpty ? all : own;
    this.#joins = statistics.isEmpty ? {} : statistics.joins(this.grad.config);
    return all.state;
  }

  requireCarried(carried: Json): void {
    HingeStatistics.from(carried);
  }

  get summary(): Model["summary"] {
    const { decoder, blocks, branches, localGrid, globalGrid, heads, fusion, hingeHead, freeze } = this.grad.config;
    return [
      ["Decoder", `${decoder}, ${blocks} ${blocks === 1 ? "block" : "blocks"}`],
      ["Grids", `${branches} of ${localGrid} and ${globalGrid} cells`],
      ["Formulas", `heads ${heads}, fusion ${fusion}, hinge ${hingeHead}, freeze ${freeze}`],
    ];
  }

  /** The errors of an image's cells and the scores of its hinges. */
  #cells(features: Tensor): Promise<(Float32Array | undefined)[]> {
    using _scope = this.weights.device.scope();
    const { errors, hinges } = anomalyCells(this.grad, features);
    const read = (tensor: Tensor | undefined): Promise<Float32Array | undefined> =>
      tensor ? toArray(tensor) : Promise.resolve(undefined);
    return Promise.all([errors, ...HINGES.map((name) => hinges[name])].map(read));
  }
}

type GradState = {
  readonly position: FitPosition | null;
  readonly optimizerSteps: readonly number[] | null;
};

/** A model's training, stage by stage. */
class GradFit implements Fit {
  readonly model: GradModel;
  readonly #training: GradTraining;
  readonly #plan: readonly StagePlan[];

  constructor(config: KeptConfig, settings: GradSettings, { weights, features, anomalies, std, seed }: FitInput) {
    this.model = new GradModel(weights, config, settings.recompute, seed);
    this.#training = new GradTraining(this.model.grad, features, { ...settings, seed, std }, anomalies);
    this.#plan = planOf(config, settings, features.count);
  }

  get remaining(): readonly StagePlan[] {
    return stepsLeft(this.#plan, this.#training.position);
  }

  steps(): AsyncGenerator<FitStep, void> {
    return this.#training.fit();
  }

  async state(): Promise<FitState> {
    const optimizer = await this.#training.optimizerState();
    const json: GradState = { position: this.#training.position, optimizerSteps: optimizer?.steps ?? null };
    return {
      json,
      tensors: new Map(optimizer?.moments.map((values, i) => [`optimizer.${i}`, values])),
    };
  }

  restore({ json, tensors }: FitState): void {
    const { position, optimizerSteps: steps } = gradStateOf(json);
    const optimizer: OptimizerState | null = steps && {
      steps,
      moments: Array.from({ length: tensors.size }, (_, i) => tensors.get(`optimizer.${i}`) ?? new Float32Array()),
    };
    this.#training.resume(position, optimizer);
  }

  release(): void {
    this.#training.release();
  }
}

/** @throws ShapeError if it is no state of a GRAD training */
function gradStateOf(json: Json): GradState {
  const { position, optimizerSteps } = fieldsOf(json);
  const { stage: name, step } = fieldsOf(position);
  const stage = STAGES.find((known) => known === name);
  const read = position === null ? null : stage && isWhole(step) ? { stage, step } : undefined;
  const isSteps = optimizerSteps === null || (Array.isArray(optimizerSteps) && optimizerSteps.every(isWhole));
  if (read === undefined || !isSteps)
    throw new ShapeError(
      "the state of the fit is not that of GRAD: its position or the optimiser's steps are missing, or of another kind",
    );
  return { position: read, optimizerSteps };
}
