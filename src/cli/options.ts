import { Option, type Command } from "commander";
import { BACKBONES, type BackboneName } from "../backbones/backbone.ts";
import type { NetworkPadding } from "../backbones/efficientnet/efficientnet.ts";
import { openCheckpoint } from "../node/checkpoint.ts";
import { cachedWeights } from "../node/hub.ts";
import { FITS, type Fit } from "../io/placement.ts";
import type { TrainingOptions } from "../detection/training.ts";
import { InputError, OptionError } from "../runtime/errors.ts";
import { addGradFlags, gradOptionsOf, type GradFlags } from "./grad_options.ts";
import { positiveNumber, wholeNumber } from "./numbers.ts";

export const WEIGHTS_HELP = "safetensors file of the EfficientNet's weights, under timm's, torchvision's or efficientnet_pytorch's names";

export const HALF_HELP = "judge in half precision (f16 stored, f32 summed): half the memory traffic, scores that differ by less than a hundredth";

/** What the command line says about training. */
export interface TrainFlags extends GradFlags {
  readonly backbone: BackboneName;
  readonly weights?: string;
  readonly padding?: NetworkPadding;
  readonly fit?: Fit;
  readonly size: number;
  readonly epochsAbnormal: number;
  readonly epochsNormal: number;
  readonly epochsResidual?: number;
  readonly leastAbnormal?: number;
  readonly leastNormal?: number;
  readonly leastResidual?: number;
  readonly enoughHits?: number;
  readonly batch?: number;
  readonly seed: number;
  readonly anomalyShare?: number;
  readonly falseReject?: number;
  readonly folds?: number;
  readonly featureMemory?: number;
  readonly recompute?: boolean;
}

export function addTrainFlags(command: Command): Command {
  const backbone = command
    .addOption(new Option("--backbone <name>", "feature extractor").choices(BACKBONES).default("embedded"))
    .option("--weights <file>", WEIGHTS_HELP)
    .addOption(new Option(
      "--padding <kind>",
      "zeros around images within an EfficientNet (default: same)",
    ).choices(["same", "same-static", "symmetric"]))
    .addOption(new Option(
      "--fit <kind>",
      "how photographs fill the square: stretched, whole between bars, or their centre (default: stretch)",
    ).choices(FITS));
  return addGradFlags(backbone)
    .option("--size <pixels>", "side of the square that images are resized to", wholeNumber(64), 224)
    .option("--epochs-abnormal <n>", "epochs of stage 1", wholeNumber(1), 10)
    .option("--epochs-normal <n>", "epochs of stage 2", wholeNumber(1), 50)
    .option("--epochs-residual <n>", "epochs of stage 3, where --residual-weight wants one (default: 10)", wholeNumber(1))
    .option("--least-abnormal <steps>", "steps of stage 1, at least, whatever its epochs (default: 50; 300 for --form joined)", wholeNumber(1))
    .option("--least-normal <steps>", "steps of stage 2, at least, whatever its epochs (default: 500)", wholeNumber(1))
    .option("--least-residual <steps>", "steps of stage 3, at least, whatever its epochs (default: 120)", wholeNumber(1))
    .option(
      "--enough-hits <share>",
      "of hits on both sides of the hinge at which stages 1 and 3 end early; 1: never (default: 0.99; 1 for --form joined)",
      positiveNumber(1),
    )
    .option("--batch <n>", "images a step (default: 8 for tiny, else 16)", wholeNumber(1))
    .option(
      "--anomaly-share <share>",
      "of stage 1's images that are anomalies of --anomalies; at 1 no blocks are pasted (default: 0.5)",
      positiveNumber(1),
    )
    .option(
      "--false-reject <share>",
      "of good images that may be called defective, at least what the images held out support: it sets the threshold",
      positiveNumber(0.5), 0.01,
    )
    .option("--folds <n>", "models trained besides, to set the threshold, for a class of fewer than ten images (0: none)", wholeNumber(0), 3)
    .option(
      "--feature-memory <MB>",
      "device memory for the training set's features; the rest goes to a file in the run's folder",
      wholeNumber(0), 1024,
    )
    .option("--recompute", "compute the decoders' blocks twice rather than keep what they make (default: not for tiny)")
    .option("--no-recompute", "keep it: faster, in several times the memory")
    .option("--seed <n>", "of everything random", wholeNumber(0), 0);
}

/**
 * What the library is asked for; what no flag says is left to it.
 * @throws OptionError for flags that do not go together; InputError for weights that cannot be read
 */
export async function trainingOptionsOf(flags: TrainFlags): Promise<TrainingOptions> {
  const { grad, others } = gradOptionsOf(flags);
  const { weights, size, featureMemory, ...options } = others;
  const { backbone, padding } = options;
  if (backbone === "embedded" && (weights !== undefined || padding !== undefined)) {
    throw new OptionError(
      "the embedded backbone has no weights and no padding to choose; name an EfficientNet with --backbone, or leave out --weights and --padding",
    );
  }
  const file = weights ?? (backbone === "embedded" ? null : await cachedWeights(backbone));
  if (file === null && backbone !== "embedded") {
    throw new InputError(`${backbone} needs its weights: "bigrid weights ${backbone}" downloads them, --weights FILE names others`);
  }
  const checkpoint = file === null ? null : await openCheckpoint(file);
  return { ...options, grad, checkpoint, inputSize: size, ...(featureMemory !== undefined && { featureBudget: featureMemory * 1e6 }) };
}
