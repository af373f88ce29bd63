import { storageOf } from "../../nn/storage.ts";
import type { Weights } from "../../nn/weights.ts";
import { RandomStream } from "../../tensor/random.ts";
import { release, toArray, type Tensor } from "../../tensor/tensor.ts";
import { defineMethod } from "../define_method.ts";
import type { CellScores, Fit, FitInput, Json, Model, StagePlan } from "../method.ts";
import { Bank } from "../parts/bank.ts";
import { Coreset, planCoreset } from "../parts/coreset.ts";
import { FitParts } from "../parts/fit_part.ts";
import { RECONSTRUCTION_SCORING, reconstructionAssembly } from "../parts/reconstruction.ts";
import { gradConfig, type GradConfig } from "./config.ts";
import { readConfig, type KeptConfig } from "./kept_config.ts";
import { stagesOf } from "./stages.ts";
import { anomalyCells, HINGES, HingeStatistics, joined, type HingeJoins } from "./hinges.ts";
import { Grad } from "./model.ts";
import { surroundings, weighedDistances } from "./nearest.ts";
import { GRAD_OPTIONS, type GradSettings } from "./options.ts";
import { GradTraining, lossScaleOf, stepsOf } from "./training.ts";

const INITIAL_STREAM = 0;
const CORESET_STREAMS = 64; // behind those of the stages
const [GATHERED, PROJECTION] = [8, 128]; // images a step, dimensions in which rows are compared
const MOST_CELLS = 1 << 16; // among which rows are chosen
const SMOOTHING_OF_DISTANCES = 11; // pixels at an input of 224: they are of means over 3 x 3 cells already
const MOST_FOR_TINY = 128; // channels; the embedded backbone has 40 (docs/notes/nearest-good.md)
const TOP = 0.01; // of a map's pixels, whose mean is the image's score

/** The stages of a fit to so many images. */
const planOf = (config: GradConfig, options: GradSettings, images: number): readonly StagePlan[] => [
  ...stagesOf(config).map((stage) => ({ stage, steps: stepsOf(stage, images, options).steps })),
  ...(config.rows > 0 ? planCoreset(config.rows, GATHERED, images) : []),
];

/**
 * GRAD: reconstructs features from a normal and an abnormal grid, at coordinates that it derives from them.
 * @see "Bi-Grid Reconstruction for Image Anomaly Detection", 2025
 */
export const grad = defineMethod({
  name: "grad",
  title: "GRAD",
  source: "Bi-Grid Reconstruction for Image Anomaly Detection, 2025",
  suits: "finding exactly where defects are, several classes in one model, no pretrained weights; minutes of training",
  options: GRAD_OPTIONS,
  learnsAnomalies: ({ branches, abnormalTask }) => branches !== "normal" && abnormalTask === "detect",
  suitsFew: ({ rows }) => rows > 0,
  assembly: (_options, backbone) => reconstructionAssembly(backbone),
  scoring: ({ rows }) => ({
    ...RECONSTRUCTION_SCORING,
    ...(rows > 0 && {
      smoothing: { kind: "box", side: SMOOTHING_OF_DISTANCES },
      image: { kind: "topShare", share: TOP },
    }),
  }),
  configure: (spec, options): KeptConfig => {
    // Were all cells kept, images that are trained on would score 0.
    const rows = Math.min(options.rows, Math.ceil((spec.images * spec.height * spec.width) / 2));
    return { ...gradConfig(spec, { ...options, rows }), joins: {} };
  },
  plan: planOf,
  continued: () => ({ kind: "steps", learned: ["joins", "similarityThreshold"], open: ["rows"] }),
  remarks: ({ decoder, channels, rows }) =>
    rows === 0 && decoder === "tiny" && channels > MOST_FOR_TINY
      ? [
          `decoder tiny reconstructs few shapes of ${channels} channels: choose form nearest, decoder compact or method patchcore`,
        ]
      : [],
  begin: (config, options, input) => new GradFit(config, options, input),
  restore: (config, weights) => new GradModel(weights, config),
  read: readConfig,
  upgraded: async (config) => (await import("./version3.ts")).upgraded(config),
});

/** The standard deviation of weights that are uniform within the inverse root of their layer's number of inputs. */
const stdByInputs = (inputs: number): number => 1 / Math.sqrt(3 * inputs);

/** A model, its rows, and how its hinges join. */
class GradModel implements Model {
  readonly weights: Weights;
  readonly grad: Grad;
  /** Null: the distance to good cells is no part of its scores. */
  readonly bank: Bank | null;
  #joins: HingeJoins;

  constructor(weights: Weights, { joins, ...config }: KeptConfig, settings: Partial<GradSettings> = {}, seed = 0) {
    this.weights = weights;
    const { recompute = false, half = false, initialWeights = "small" } = settings;
    this.grad = new Grad(weights, config, new RandomStream(seed, INITIAL_STREAM), {
      recompute,
      storage: storageOf(weights.device, half),
      ...(initialWeights === "byInputs" && { initialStd: stdByInputs }),
    });
    this.bank = config.rows > 0 ? new Bank(weights, "rows", config.rows, config.channels) : null;
    this.#joins = joins;
  }

  get config(): Json {
    return { ...this.grad.config, joins: this.#joins };
  }

  score(features: Tensor): CellScores {
    if (this.bank) return weighedDistances(this.grad, features, this.bank.nearest(surroundings(features)).distances);
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
    const { decoder, blocks, branches, localGrid, globalGrid, heads, fusion, abnormalTask, hingeHead, freeze, rows } =
      this.grad.config;
    const task = abnormalTask === "restore" ? "blocks restored" : `hinge ${hingeHead}`;
    return [
      ["Decoder", `${decoder}, ${blocks} ${blocks === 1 ? "block" : "blocks"}`],
      ["Grids", `${branches} of ${localGrid} and ${globalGrid} cells`],
      ["Formulas", `heads ${heads}, fusion ${fusion}, ${task}, freeze ${freeze}`],
      ...(rows > 0 ? [["Rows", `${rows} good cells`] as const] : []),
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

/** The rows of a model, chosen among cells of all images: of fewer of each, where those of all are too many. */
function coresetOf(bank: Bank, { height, width, channels }: KeptConfig, { features, seed }: FitInput): Coreset {
  const seen = Math.min(MOST_CELLS, Math.floor(bank.rows.device.maxBindingBytes / (4 * channels)));
  const least = Math.ceil(bank.rows.shape[0]! / features.count);
  const cellsOfImage = Math.min(height * width, Math.max(least, Math.floor(seen / features.count)));
  return new Coreset(bank.rows, features, seed, {
    owner: "grad",
    cellsOfImage,
    projection: PROJECTION,
    batch: GATHERED,
    streams: CORESET_STREAMS,
    titles: { bank: "Stage 3, memory bank", coreset: "Stage 4, coreset" },
    prepared: surroundings,
  });
}

/** A model's training: its grids', stage by stage, then its rows'. */
class GradFit extends FitParts implements Fit {
  readonly model: GradModel;

  constructor(config: KeptConfig, settings: GradSettings, input: FitInput) {
    const { weights, features, anomalies, std, seed, before } = input;
    const model = new GradModel(weights, config, settings, seed);
    const lossScale = settings.half ? lossScaleOf(config, settings.batch) : 1;
    const grids = new GradTraining(model.grad, features, { ...settings, seed, std, lossScale }, anomalies, before);
    super(grids, ...(model.bank ? [coresetOf(model.bank, config, input)] : []));
    this.model = model;
  }
}
