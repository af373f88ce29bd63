import type { Command } from "commander";
import type { FormatName } from "../../data/layouts/layout.ts";
import { openDevice } from "../../node/device.ts";
import { ensureWritableFolder } from "../../node/files.ts";
import { addFormatFlag, DATASET_HELP, openDataset } from "../dataset.ts";
import { addTrainFlags, trainingOptionsOf, type TrainFlags } from "../options.ts";
import { print, say } from "../output.ts";
import { trainRun } from "../train_run.ts";
import { wholeNumber } from "../numbers.ts";

interface TrainCommandFlags extends TrainFlags {
  readonly out: string;
  readonly format?: FormatName;
  readonly strict?: boolean;
  readonly resume?: boolean;
  readonly checkpointEvery: number;
}

export function addTrain(program: Command): void {
  const command = program
    .command("train")
    .description("learn what good images look like")
    .argument("<dir>", DATASET_HELP)
    .requiredOption("--out <run>", "folder for the model and its log");
  addFormatFlag(addTrainFlags(command))
    .option("--strict", "end at the first image that cannot be read, instead of skipping it")
    .option("--resume", "go on where an earlier training into the same folder was ended")
    .option("--checkpoint-every <steps>", "save the training's state that often, to resume from", wholeNumber(1), 100)
    .action(async (root: string, { out, format, strict = false, resume = false, checkpointEvery, ...flags }: TrainCommandFlags) => {
      const dataset = await openDataset(root, format, strict);
      await ensureWritableFolder(out);
      const device = await openDevice();
      const options = await trainingOptionsOf(flags);
      const images = dataset.classes.reduce((sum, { train }) => sum + train.length, 0);
      say(`${images} good images of ${dataset.classes.length === 1 ? "one class" : `${dataset.classes.length} classes`}; ${flags.backbone} backbone, on ${device.adapter.description}`);
      const { detector, modelPath, seconds } = await trainRun(device, root, dataset, out, options, { strict, resume, checkpointEvery });
      print(`${modelPath}: ${detector.config.grad.decoder} decoder, trained in ${seconds.toFixed(0)} s`);
      print(`next: bigrid predict ${out} IMAGE... --out DIR`);
    });
}
