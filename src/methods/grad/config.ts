import { requireBlocks, type FeatureBlockOptions } from "../../ops/feature_block_paste.ts";
import { OptionError } from "../../runtime/errors.ts";
import { requireKind, resolveOptions } from "../../runtime/option_table.ts";
import type { FeatureSpec } from "../method.ts";
import { EXTENTS, pick } from "../parts/fields.ts";
import { requireGrids } from "../parts/grid_memory.ts";
import { REFERENCE_VARIANCE, similarityThreshold } from "../parts/reconstruction.ts";
import { GRAD_OPTIONS, type GradOptions, type GradSettings } from "./options.ts";

/** The options that fix a model; the others fix its training. */
const MODEL_OPTIONS = [
  "decoder",
  "blocks",
  "localGrid",
  "globalGrid",
  "gridChannels",
  "headWidth",
  "branches",
  "heads",
  "standardise",
  "fusion",
  "lambda",
  "abnormalWeight",
  "hingeHead",
  "abnormalTask",
  "rows",
  "weighing",
  "hinge",
  "pairs",
  "pairCount",
  "hingeWeight",
  "hingeFloor",
  "residualWeight",
  "residualFloor",
  "freeze",
] as const;
type ModelSettings = Pick<GradSettings, (typeof MODEL_OPTIONS)[number]>;

/** Kinds and ranges of the fields that a configuration has by themselves. */
export const FIELDS = { ...EXTENTS, ...pick(GRAD_OPTIONS, MODEL_OPTIONS) };

/** Everything that fixes a GRAD model's shapes and formulas. */
export type GradConfig = ModelSettings & {
  /** Disturbance of features, in units of the features. */
  readonly paste: Pick<FeatureBlockOptions, keyof FeatureBlockOptions>;
  /** Extent of the feature map, cells. */
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** Squared error, mean over channels, up to which a position counts as similar; in squared units of the features. */
  readonly similarityThreshold: number;
};

/**
 * The configuration of a model for features of the given extents and variance.
 * @throws OptionError for an option unknown or out of range, or options that do not go together
 */
export function gradConfig(features: Omit<FeatureSpec, "images">, options: GradOptions = {}): GradConfig {
  const { height, width, channels, variance } = features;
  const settings = resolveOptions("grad", GRAD_OPTIONS, options);
  const config = {
    height,
    width,
    channels,
    similarityThreshold: similarityThreshold(variance),
    ...pick(settings, MODEL_OPTIONS),
    paste: pasteOf(features, settings),
  };
  requireValid(config);
  return config;
}

/** @throws OptionError for a value of another kind or out of range, or values that do not go together */
export function requireValid(settings: GradConfig): void {
  for (const name of MODEL_OPTIONS) requireKind("grad", name, GRAD_OPTIONS[name], settings[name]);
  requireGrids("grad", settings);
  const { hingeHead, hingeWeight, pairs, branches, freeze, paste } = settings;
  const { rows, abnormalTask, residualWeight } = settings;
  if ((rows > 0 && hingeWeight + residualWeight > 0) || (hingeWeight > 0 && abnormalTask === "restore")) {
    throw new OptionError(
      `grad: expected rows 0 and abnormalTask detect (form joined) for hinges of weight ${hingeWeight} and ${residualWeight}, got ${rows} and ${abnormalTask}`,
    );
  }
  if (branches === "abnormal" && freeze === "branch") {
    throw new OptionError("grad: expected freeze grids where the abnormal branch is the only one, got branch");
  }
  if (hingeWeight > 0 && (branches === "normal" || pairs === "cosine")) {
    const expected = `an abnormal branch and pairs none for hinge scores of weight ${hingeWeight}`;
    throw new OptionError(`grad: expected ${expected}, got branches ${branches} and pairs ${pairs}`);
  }
  if (pairs === "cosine" && hingeHead === "own") {
    throw new OptionError(
      "grad: expected hingeHead channel with pairs cosine, which compares features and has no use for a head, got own",
    );
  }
  if (typeof paste !== "object" || paste === null)
    throw new OptionError(`grad: expected paste to be how blocks are pasted, got ${String(paste)}`);
  requireBlocks("grad paste", [1, settings.height, settings.width], paste);
}

/**
 * The disturbance of features of the given extent and variance. Intensities of equal directions are in units of
 * EfficientNet's features.
 */
function pasteOf(
  { height, width, variance }: Omit<FeatureSpec, "images">,
  settings: GradSettings,
): FeatureBlockOptions {
  const extent = Math.min(height, width);
  const {
    pasteDirection: direction,
    pasteIntensity: [low, high],
  } = settings;
  const unit = direction === "equal" ? Math.sqrt(variance / REFERENCE_VARIANCE) : 1;
  return {
    walk: settings.pasteWalk,
    steps: settings.pasteSteps,
    maxHalfSide: settings.pasteMaxHalfSide ?? Math.min(0.34 * extent + 0.5, (extent - 1) / 2),
    region: settings.pasteRegion,
    count: settings.pasteCount,
    per: settings.pastePer,
    intensity: [low * unit, high * unit],
    blurSigma: settings.pasteBlurSigma,
    blurRadius: settings.pasteBlurRadius,
    direction,
    shared: settings.pasteShared,
    signs: settings.pasteSigns,
    source: settings.pasteSource,
  };
}
