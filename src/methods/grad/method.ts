import { isWhole } from "../../io/json.ts";
import type { OptimizerState } from "../../optim/optimizer.ts";
import type { Weights } from "../../nn/weights.ts";
import { OptionError, ShapeError } from "../../runtime/errors.ts";
import { RandomStream } from "../../tensor/random.ts";
import { release, toArray, type Tensor } from "../../tensor/tensor.ts";
import type {
  CellScores,
  Fit,
  FitInput,
  FitState,
  FitStep,
  Json,
  Method,
  MethodOptions,
  Model,
  StagePlan,
} from "../method.ts";
import { requireExtents } from "../parts/extents.ts";
import { stepsLeft } from "../parts/stages.ts";
import { gradConfig, REFERENCE_VARIANCE, requireValid, type GradConfig } from "./config.ts";
import { stagesOf, type Stage } from "./stages.ts";
import {
  anomalyCells,
  HINGES,
  HingeStatistics,
  joined,
  requireJoins,
  unmeasuredJoins,
  type HingeJoins,
} from "./hinges.ts";
import { Grad } from "./model.ts";
import { GRAD_OPTIONS, type GradSettings } from "./options.ts";
import { GradTraining, stepsOf, type FitPosition } from "./training.ts";

/** Configuration kept in the model file: the model's, and how its hinges join map and score. */
interface KeptConfig extends GradConfig {
  readonly joins: HingeJoins;
}

const INITIAL_STREAM = 0;
const TITLES: Readonly<Record<Stage, string>> = {
  abnormal: "Stage 1, abnormal grid",
  normal: "Stage 2, reconstruction",
  residual: "Stage 3, hinge on the residual",
};
// GRAD's similarity is a cosine, of vectors from zero. Were zero the mean, it would say how far a cell is from the
// mean, not how well it is reconstructed; so the mean lies apart from zero, in each channel by so many deviations
// (docs/decisions/006-embedded-filters.md).
const MEAN = 0.7;
const [SMOOTHING, WINDOW] = [21, 32]; // pixels at an input of 224
const EXTREME = 1000; // times what is of use, in any of the options that it is held against
const BRIEF_STEPS = 8; // among the first eight of seed 0 some draw noise and some do not, in each stage

/**
 * GRAD: reconstructs features from a normal and an abnormal grid, at coordinates that it derives from them.
 * @see "Bi-Grid Reconstruction for Image Anomaly Detection", 2025
 */
export const grad: Method = {
  name: "grad",
  title: "GRAD",
  source: "Bi-Grid Reconstruction for Image Anomaly Detection, 2025",
  options: GRAD_OPTIONS,
  learnsAnomalies: ({ branches }) => branches !== "normal",
  anomalyOptions: ["anomalyShare"],
  brief: {
    epochsAbnormal: 1,
    epochsNormal: 1,
    epochsResidual: 1,
    leastAbnormal: BRIEF_STEPS,
    leastNormal: BRIEF_STEPS,
    leastResidual: BRIEF_STEPS,
    enoughHits: 1,
  },
  assembly: (_options, { stages, standardise }) => ({
    stages: stages.map(({ name }) => name),
    alignCorners: true,
    localMean: 1,
    standardise: standardise ? { mean: MEAN, variance: REFERENCE_VARIANCE } : null,
  }),
  scoring: {
    alignCorners: true,
    smoothing: { kind: "box", side: SMOOTHING },
    image: { kind: "windowMean", side: WINDOW },
  },
  configure: (spec, options) => kept({ ...gradConfig(spec, options), joins: {} }),
  fitted: (config) => kept({ ...read(config), joins: unmeasuredJoins(read(config)) }),
  plan: (config, options, images) => {
    const settings = options as GradSettings;
    return stagesOf(read(config)).map((stage) => ({
      stage,
      title: TITLES[stage],
      steps: stepsOf(stage, images, settings).steps,
    }));
  },
  begin: (config, options, input) => new GradFit(read(config), options, input),
  restore: (config, weights) => new GradModel(weights, read(config)),
  extreme: (config) => {
    const {
      hinge,
      abnormalWeight,
      lambda,
      hingeWeight,
      residualWeight,
      paste: { intensity },
    } = read(config);
    const numbers = {
      hinge,
      abnormalWeight,
      lambda,
      hingeWeight,
      residualWeight,
      pasteIntensity: Math.max(...intensity.map(Math.abs)),
    };
    const extreme = Object.entries(numbers).find(([, value]) => Math.abs(value) > EXTREME);
    return extreme ? extreme.join(" ") : null;
  },
  validate: (config) => {
    const { similarityThreshold, joins } = read(config);
    const extents = requireExtents("grad", read(config));
    requireValid(read(config));
    if (!(Number.isFinite(similarityThreshold) && similarityThreshold > 0)) {
      throw new OptionError(`grad: expected a finite similarityThreshold above 0, got ${similarityThreshold}`);
    }
    requireJoins(joins);
    return extents;
  },
};

// A configuration is plain data; TypeScript does not see that an interface is.
const read = (config: Json): KeptConfig => (config ?? {}) as unknown as KeptConfig;
const kept = (config: KeptConfig): Json => config as unknown as Json;

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
    return kept({ ...this.grad.config, joins: this.#joins });
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

interface GradState {
  readonly position: FitPosition | null;
  readonly optimizerSteps: readonly number[] | null;
}

/** A model's training, stage by stage. */
class GradFit implements Fit {
  readonly model: GradModel;
  readonly #training: GradTraining;
  readonly #plan: readonly StagePlan[];

  constructor(config: KeptConfig, options: MethodOptions, { weights, features, anomalies, std, seed }: FitInput) {
    const settings = options as GradSettings;
    this.model = new GradModel(weights, config, settings.recompute, seed);
    this.#training = new GradTraining(this.model.grad, features, { ...settings, seed, std }, anomalies);
    this.#plan = grad.plan(kept(config), options, features.count);
  }

  get remaining(): readonly Pick<StagePlan, "stage" | "steps">[] {
    return stepsLeft(this.#plan, this.#training.position);
  }

  steps(): AsyncGenerator<FitStep, void> {
    return this.#training.fit();
  }

  async state(): Promise<FitState> {
    const optimizer = await this.#training.optimizerState();
    const json: GradState = { position: this.#training.position, optimizerSteps: optimizer?.steps ?? null };
    return {
      json: json as unknown as Json,
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
  const { position, optimizerSteps } = (json ?? {}) as { readonly [name in keyof GradState]?: Json };
  const { stage, step } = (position ?? {}) as Partial<FitPosition>;
  const isPosition = position === null || (typeof stage === "string" && isWhole(step));
  const isSteps = optimizerSteps === null || (Array.isArray(optimizerSteps) && optimizerSteps.every(isWhole));
  if (!isPosition || !isSteps)
    throw new ShapeError(
      "the state of the fit is not that of GRAD: its position or the optimiser's steps are missing, or of another kind",
    );
  return json as unknown as GradState;
}
