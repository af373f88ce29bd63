import type { Command } from "commander";
import type { FormatName } from "../../data/layouts/layout.ts";
import { openDevice } from "../../node/device.ts";
import { ensureWritableFolder } from "../../node/files.ts";
import { addFormatFlag, DATASET_HELP, openDataset } from "../dataset.ts";
import { addTrainFlags, trainOptionsOf, type TrainFlags } from "../options.ts";
import { print, say } from "../output.ts";
import { trainRun } from "../train_run.ts";

export function addTrain(program: Command): void {
  const command = program
    .command("train")
    .description("learn what good images look like")
    .argument("<dir>", DATASET_HELP)
    .requiredOption("--out <run>", "folder for the model and its log");
  addFormatFlag(addTrainFlags(command))
    .option("--strict", "end at the first image that cannot be read, instead of skipping it")
    .action(async (root: string, flags: TrainFlags & { out: string; format?: FormatName; strict?: boolean }) => {
      const dataset = await openDataset(root, flags.format, flags.strict ?? false);
      await ensureWritableFolder(flags.out);
      const device = await openDevice();
      const options = await trainOptionsOf(flags, device);
      const images = dataset.classes.reduce((sum, { train }) => sum + train.length, 0);
      say(`${images} good images of ${dataset.classes.length === 1 ? "one class" : `${dataset.classes.length} classes`}; ${options.backbone} backbone, ${options.decoder} decoder, on ${device.adapter.description}`);
      const { detector, modelPath, seconds } = await trainRun(device, root, dataset, flags.out, options, flags.strict ?? false);
      print(`${modelPath}: trained in ${seconds.toFixed(0)} s; images that score above ${detector.config.calibration.threshold.toPrecision(4)} are called defective`);
      print(`next: bigrid predict ${flags.out} IMAGE... --out DIR`);
    });
}
