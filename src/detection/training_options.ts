import { NETWORK_PADDINGS } from "../backbones/backbone.ts";
import { BACKBONES, isPretrained } from "../backbones/registry.ts";
import type { PretrainedWeights } from "../backbones/weights.ts";
import {
  DEFAULT_METHOD,
  loadMethod,
  METHOD_NAMES,
  type MethodName,
  type OptionsOfMethods,
} from "../methods/registry.ts";
import type { FitStep, Method, MethodOptions } from "../methods/method.ts";
import { OptionError } from "../runtime/errors.ts";
import { resolveOptions, type OptionsOf, type OptionTable, type ResolvedOptions } from "../runtime/option_table.ts";
import { RESIZES } from "../io/placement.ts";
import { AUGMENTATIONS } from "../io/symmetries.ts";
import { TILE_SIDES, tilingProblem, type Tiling } from "../io/tiling.ts";
import type { Spill } from "./feature_store.ts";
import type { DetectorInput } from "./input.ts";
import type { AnomalousImage } from "./marked_cells.ts";

/** Options of a training that do not depend on the method. */
export const TRAINING_OPTIONS = {
  method: {
    kind: "choice",
    choices: METHOD_NAMES,
    default: DEFAULT_METHOD,
    frequent: true,
    help: "anomaly detection method",
  },
  backbone: {
    kind: "choice",
    choices: BACKBONES,
    default: "embedded",
    frequent: true,
    help: "feature extractor, unless the method sees pixels",
  },
  stages: {
    kind: "words",
    default: null,
    defaultText: "by the backbone",
    frequent: true,
    help: "backbone stages whose feature maps are used",
  },
  padding: {
    kind: "choice",
    choices: NETWORK_PADDINGS,
    default: null,
    defaultText: "same",
    help: "padding of an EfficientNet's convolutions",
  },
  inputSize: {
    kind: "whole",
    least: 64,
    most: 4096,
    default: 224,
    frequent: true,
    flag: "size",
    help: "side of the square that images are resized to, pixels",
  },
  resize: {
    kind: "choice",
    choices: RESIZES,
    default: "stretch",
    frequent: true,
    help: "how images fill the square: stretched, letterboxed, or cropped to the centre",
  },
  tile: {
    kind: "whole",
    ...TILE_SIDES,
    default: null,
    defaultText: "whole images",
    frequent: true,
    help: "side of the tiles that large images are cut into, pixels; each fills the square",
  },
  overlap: {
    kind: "whole",
    least: 0,
    default: null,
    defaultText: "an eighth of the tile",
    frequent: true,
    help: "pixels that neighbouring tiles share",
  },
  seed: { kind: "whole", least: 0, most: 2 ** 32 - 1, default: 0, frequent: true, help: "seed of all random numbers" },
  falseReject: {
    kind: "share",
    most: 0.5,
    default: 0.01,
    frequent: true,
    help: "share of good images that may be called defective; sets the threshold",
  },
  folds: {
    kind: "whole",
    least: 0,
    most: 2 ** 32 - 1,
    default: 3,
    help: "cross-validation folds for classes with fewer than ten images; 0: calibrate on the training images",
  },
  dropSuspects: {
    kind: "number",
    least: 0,
    most: 0.5,
    default: 0,
    frequent: true,
    help: "share of each class's good images to leave out: those that look least like the others, which may be defective",
  },
  augment: {
    kind: "choice",
    choices: AUGMENTATIONS,
    default: "none",
    help: "turned and mirrored copies of good images, which are trained on too: flips and the half turn, rotations by quarter turns, or both; for parts that lie in any rotation",
  },
  featureBudget: {
    kind: "whole",
    least: 0,
    default: 2 ** 30,
    tuning: true,
    help: "device memory for the training set's features, bytes; the rest is spilled to a file, if there is one",
  },
} as const satisfies OptionTable;

interface GeneralOptions extends Omit<OptionsOf<typeof TRAINING_OPTIONS>, "method"> {
  /** Pretrained weights of the backbone; required by every one but "embedded". */
  readonly weights?: PretrainedWeights | null | undefined;
  /**
   * Real anomalies with masks, for methods that learn from them. They are read once, after the good images. Default:
   * none.
   */
  readonly anomalies?: AsyncIterable<AnomalousImage> | null | undefined;
  /** Storage for features beyond the budget. Default: none, and the budget does not apply. */
  readonly spill?: Spill | null | undefined;
  /**
   * Ends the training at the next image or step: what runs then throws the signal's reason. The training can still be
   * saved.
   */
  readonly signal?: AbortSignal | null | undefined;
  /** Called after each image that is read, each step, and each image that sets the threshold. */
  readonly onProgress?: ((progress: TrainingProgress) => void) | undefined;
}

/** A step of a training, and the training's progress after it. */
export interface TrainingStep extends FitStep {
  /** Steps taken in all, of all stages and models. */
  readonly taken: number;
  /** 1 for the first of the models that are trained; the last is the detector's. */
  readonly model: number;
  readonly models: number;
  /** Estimate from the pace so far; assumes that no stage ends early. */
  readonly secondsLeft: number;
}

/**
 * Progress of a training: it reads images, looks for those to leave out if asked to, takes steps, then scores good images
 * to set its threshold.
 */
export type TrainingProgress =
  | { readonly phase: "features"; readonly done: number }
  | { readonly phase: "suspects"; readonly done: number; readonly total: number }
  | ({ readonly phase: "training" } & TrainingStep)
  | { readonly phase: "calibration"; readonly done: number; readonly total: number };

type OfMethod<N extends MethodName> = OptionsOfMethods[N] &
  (N extends typeof DEFAULT_METHOD ? { readonly method?: N | undefined } : { readonly method: N });

/** The options of trainings of one method. */
export type TrainingOptionsOf<N extends MethodName> = GeneralOptions & OfMethod<N>;
/** Options of a training: general ones and those of the method. Each has a default. */
export type TrainingOptions = { [N in MethodName]: TrainingOptionsOf<N> }[MethodName];

/** The same, each with a value, and with the method. */
export interface TrainingSettings extends ResolvedOptions<typeof TRAINING_OPTIONS> {
  readonly learner: Method;
  readonly input: DetectorInput;
  /** Those of the method. */
  readonly options: MethodOptions;
  readonly weights: PretrainedWeights | null;
  readonly anomalies: AsyncIterable<AnomalousImage> | null;
  readonly spill: Spill | null;
  readonly signal: AbortSignal | null;
  readonly onProgress: (progress: TrainingProgress) => void;
}

/** Returns the options of a training that do not depend on the method, as data. */
export const generalOptionsOf = (settings: TrainingSettings): ResolvedOptions<typeof TRAINING_OPTIONS> =>
  Object.fromEntries(
    Object.keys(TRAINING_OPTIONS).map((name) => [name, settings[name as keyof typeof TRAINING_OPTIONS]]),
  ) as ResolvedOptions<typeof TRAINING_OPTIONS>;

/** The first of a table's options that is far beyond what is of use, with its value; null if none is. */
export function beyondUse(table: OptionTable, options: MethodOptions): string | null {
  for (const [name, { usual = Infinity }] of Object.entries(table)) {
    const value = options[name];
    const numbers = [value].flat().filter((one) => typeof one === "number");
    const largest = numbers.reduce((most, number) => (Math.abs(number) > Math.abs(most) ? number : most), 0);
    if (Math.abs(largest) > usual) return `${name} ${largest}`;
  }
  return null;
}

const OVERLAP = 1 / 8; // of the tile

/**
 * The tiles of a training; null where it learns from whole images.
 * @throws OptionError for tiles that cannot be used, or options that do not go together with them
 */
function resolveTiles({
  tile,
  overlap,
  inputSize,
  resize,
}: Pick<ResolvedOptions<typeof TRAINING_OPTIONS>, "tile" | "overlap" | "inputSize" | "resize">): Tiling | null {
  if (tile === null) {
    if (overlap === null) return null;
    throw new OptionError(`training: overlap ${overlap} has no effect without tiles: set tile too, or leave it out`);
  }
  const tiles = { tile, overlap: overlap ?? Math.round(OVERLAP * tile) };
  const problem = tilingProblem(tiles, inputSize);
  if (problem) throw new OptionError(`training: ${problem}`);
  if (resize !== "stretch")
    throw new OptionError(
      `training: resize ${resize} has no effect with tiles, which are squares already: leave it out, or the tile`,
    );
  return tiles;
}

/**
 * Fills in defaults.
 * @throws OptionError for an option unknown or out of range, or options that do not go together
 */
export async function resolveTraining(given: TrainingOptions): Promise<TrainingSettings> {
  const {
    weights = null,
    anomalies = null,
    spill = null,
    signal = null,
    onProgress = () => undefined,
    ...told
  } = given;
  const isGeneral = ([name]: readonly [string, unknown]): boolean => Object.hasOwn(TRAINING_OPTIONS, name);
  const named = Object.entries(told);
  const general = resolveOptions("training", TRAINING_OPTIONS, Object.fromEntries(named.filter(isGeneral)));
  const tiles = resolveTiles(general);
  const settings = { ...general, overlap: tiles?.overlap ?? null };
  const input = { size: settings.inputSize, resize: settings.resize, ...(tiles && { tiles }) };
  if (settings.folds === 1)
    throw new OptionError("training: expected folds to be 0 or at least 2, got 1: a fold is trained on the others");
  const learner = await loadMethod(settings.method);
  const resolved = resolveOptions(
    `method ${learner.name}`,
    learner.options,
    Object.fromEntries(named.filter((one) => !isGeneral(one))),
    { pretrained: isPretrained(settings.backbone) },
  );
  if (anomalies && !learner.learnsAnomalies(resolved)) {
    throw new OptionError(
      `training: the method ${learner.name} does not learn from anomalies with these options: leave them out, or choose others (docs/methods)`,
    );
  }
  const idle = named.find(([name, value]) => value !== undefined && learner.options[name]?.needsAnomalies)?.[0];
  if (idle && !anomalies)
    throw new OptionError(
      `training: ${idle} has no effect without anomalies to learn from: give some, or leave it out`,
    );
  return { ...settings, input, learner, options: resolved, weights, anomalies, spill, signal, onProgress };
}
