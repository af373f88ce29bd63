import { InvalidArgumentError, Option, type Command } from "commander";
import { BACKBONES, type BackboneName } from "../models/backbone.ts";
import type { NetworkPadding } from "../models/efficientnet/efficientnet.ts";
import { openCheckpoint } from "../node/checkpoint.ts";
import { cachedWeights } from "../node/hub.ts";
import { FITS, type Fit } from "../tensor/placement.ts";
import type { TrainingOptions } from "../models/training.ts";
import { BRANCHES, DECODERS, FREEZES, FUSIONS, HEADS, HINGE_HEADS, type GradOptions } from "../models/grad/config.ts";
import { InputError, OptionError } from "../runtime/errors.ts";

export const WEIGHTS_HELP = "safetensors file of the EfficientNet's weights, under timm's, torchvision's or efficientnet_pytorch's names";

/** What the command line says about training. */
export interface TrainFlags extends Omit<GradOptions, "lambda" | "abnormalWeight" | "hinge" | "standardise"> {
  readonly backbone: BackboneName;
  readonly weights?: string;
  readonly padding?: NetworkPadding;
  readonly fit?: Fit;
  readonly size: number;
  readonly epochsAbnormal: number;
  readonly epochsNormal: number;
  readonly batch?: number;
  readonly seed: number;
  readonly falseReject?: number;
  readonly folds?: number;
  readonly featureMemory?: number;
}

/** A whole number of at least `least`, from text. */
export const wholeNumber = (least: number) => (text: string): number => {
  const value = Number(text);
  if (!(Number.isSafeInteger(value) && value >= least && value < 2 ** 32)) throw new InvalidArgumentError(`A whole number of at least ${least} is needed.`);
  return value;
};

/** A number above 0 and at most `most`, from text. */
export const positiveNumber = (most = Number.MAX_VALUE) => (text: string): number => {
  const value = Number(text);
  if (!(value > 0 && value <= most)) throw new InvalidArgumentError(`A number above 0${most < Number.MAX_VALUE ? ` and at most ${most}` : ""} is needed.`);
  return value;
};

export function addTrainFlags(command: Command): Command {
  return command
    .addOption(new Option("--backbone <name>", "feature extractor").choices(BACKBONES).default("embedded"))
    .option("--weights <file>", WEIGHTS_HELP)
    .addOption(new Option("--padding <kind>", "zeros around images within an EfficientNet (default: same)").choices(["same", "same-static", "symmetric"]))
    .addOption(new Option("--fit <kind>", "how photographs fill the square: stretched, whole between bars, or their centre (default: stretch)").choices(FITS))
    .addOption(new Option("--decoder <name>", "size of the model (default: tiny on software adapters, else mobile)").choices(DECODERS))
    .option("--blocks <n>", "blocks of a decoder (default: 1 for tiny, 11 for mobile, 9 for basic)", wholeNumber(1))
    .option("--local-grid <cells>", "a side of the grids that positions look into (default: 8)", wholeNumber(1))
    .option("--global-grid <cells>", "a side of the grids that whole images look into (default: 4)", wholeNumber(1))
    .addOption(new Option("--branches <which>", "the grids that there are (default: both)").choices(BRANCHES))
    .addOption(new Option("--heads <kind>", "whether both branches look at the same coordinates (default: shared)").choices(HEADS))
    .addOption(new Option("--fusion <kind>", "how both reconstructions become one (default: learned)").choices(FUSIONS))
    .addOption(new Option("--hinge-head <kind>", "what stage 1 trains: a channel of the reconstruction, or an own head (default: channel)").choices(HINGE_HEADS))
    .addOption(new Option("--freeze <what>", "what stage 2 leaves alone: the abnormal grids, or the whole branch (default: grids)").choices(FREEZES))
    .option("--size <pixels>", "side of the square that images are resized to", wholeNumber(64), 224)
    .option("--epochs-abnormal <n>", "epochs of stage 1, at least 50 steps", wholeNumber(1), 10)
    .option("--epochs-normal <n>", "epochs of stage 2, at least 500 steps", wholeNumber(1), 50)
    .option("--batch <n>", "images a step (default: 8 for tiny, else 16)", wholeNumber(1))
    .option("--false-reject <share>", "of good images that may be called defective: it sets the threshold", positiveNumber(0.5), 0.01)
    .option("--folds <n>", "models trained besides, to set the threshold, for a class of fewer than ten images (0: none)", wholeNumber(0), 3)
    .option("--feature-memory <MB>", "device memory for the training set's features; the rest goes to a file in the run's folder", wholeNumber(0), 1024)
    .option("--seed <n>", "of everything random", wholeNumber(0), 0);
}

/**
 * What the library is asked for; what no flag says is left to it.
 * @throws OptionError for flags that do not go together; InputError for weights that cannot be read
 */
export async function trainingOptionsOf(flags: TrainFlags): Promise<TrainingOptions> {
  const { weights, size, featureMemory, decoder, blocks, localGrid, globalGrid, branches, heads, fusion, hingeHead, freeze, ...options } = flags;
  const { backbone, padding } = options;
  if (backbone === "embedded" && (weights !== undefined || padding !== undefined)) {
    throw new OptionError("the embedded backbone has no weights and no padding to choose; name an EfficientNet with --backbone, or leave out --weights and --padding");
  }
  const file = weights ?? (backbone === "embedded" ? null : await cachedWeights(backbone));
  if (file === null && backbone !== "embedded") {
    throw new InputError(`${backbone} needs its weights: "bigrid weights ${backbone}" downloads them, --weights FILE names others`);
  }
  const checkpoint = file === null ? null : await openCheckpoint(file);
  const grad = given({ decoder, blocks, localGrid, globalGrid, branches, heads, fusion, hingeHead, freeze });
  return { ...options, grad, checkpoint, inputSize: size, ...(featureMemory !== undefined && { featureBudget: featureMemory * 1e6 }) };
}

/** Without what nobody said. */
const given = <T extends object>(options: T): { [K in keyof T]: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as { [K in keyof T]: Exclude<T[K], undefined> };
