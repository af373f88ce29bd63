import { InvalidArgumentError, Option, type Command } from "commander";
import { BACKBONES, type BackboneName } from "../models/backbone.ts";
import type { TrainOptions } from "../models/detector.ts";
import { DECODERS, type DecoderName } from "../models/grad/config.ts";
import type { Device } from "../runtime/device.ts";

/** What the command line says about training. */
export interface TrainFlags {
  readonly backbone: BackboneName;
  readonly decoder?: DecoderName;
  readonly size: number;
  readonly epochsAbnormal: number;
  readonly epochsNormal: number;
  readonly batch?: number;
  readonly seed: number;
}

/** A whole number of at least `least`, from text. */
export const wholeNumber = (least: number) => (text: string): number => {
  const value = Number(text);
  if (!(Number.isSafeInteger(value) && value >= least && value < 2 ** 32)) throw new InvalidArgumentError(`A whole number of at least ${least} is needed.`);
  return value;
};

export function addTrainFlags(command: Command): Command {
  return command
    .addOption(new Option("--backbone <name>", "feature extractor").choices(BACKBONES).default("embedded"))
    .addOption(new Option("--decoder <name>", "size of the model (default: tiny on software adapters, else mobile)").choices(DECODERS))
    .option("--size <pixels>", "side of the square that images are resized to", wholeNumber(64), 224)
    .option("--epochs-abnormal <n>", "epochs of stage 1, at least 50 steps", wholeNumber(1), 10)
    .option("--epochs-normal <n>", "epochs of stage 2, at least 500 steps", wholeNumber(1), 50)
    .option("--batch <n>", "images a step (default: 8 for tiny, else 16)", wholeNumber(1))
    .option("--seed <n>", "of everything random", wholeNumber(0), 0);
}

/** Flags completed by what suits the adapter. */
export function trainOptionsOf(flags: TrainFlags, device: Device): TrainOptions {
  const decoder = flags.decoder ?? (device.adapter.software ? "tiny" : "mobile");
  const { backbone, size, epochsAbnormal, epochsNormal, seed } = flags;
  return { backbone, decoder, inputSize: size, epochsAbnormal, epochsNormal, seed, batch: flags.batch ?? (decoder === "tiny" ? 8 : 16) };
}
