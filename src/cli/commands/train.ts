import type { Command } from "commander";
import { readDataset } from "../../node/dataset.ts";
import { openDevice } from "../../node/device.ts";
import { ensureWritableFolder } from "../../node/files.ts";
import { addTrainFlags, trainingOptionsOf, wholeNumber, type TrainFlags } from "../options.ts";
import { print, say } from "../output.ts";
import { trainRun } from "../train_run.ts";

interface TrainCommandFlags extends TrainFlags {
  readonly out: string;
  readonly strict?: boolean;
  readonly resume?: boolean;
  readonly checkpointEvery: number;
}

export function addTrain(program: Command): void {
  const command = program
    .command("train")
    .description("learn what good images look like")
    .argument("<dir>", "a folder of good images; or an MVTec-layout folder (train/good, test/*, ground_truth/*); or a folder of such folders")
    .requiredOption("--out <run>", "folder for the model and its log");
  addTrainFlags(command)
    .option("--strict", "end at the first image that cannot be read, instead of skipping it")
    .option("--resume", "go on where an earlier training into the same folder was ended")
    .option("--checkpoint-every <steps>", "save the training's state that often, to resume from", wholeNumber(1), 100)
    .action(async (root: string, { out, strict = false, resume = false, checkpointEvery, ...flags }: TrainCommandFlags) => {
      const dataset = await readDataset(root);
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
