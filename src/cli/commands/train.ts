import type { Command } from "commander";
import type { FormatName } from "../../data/layouts/layout.ts";
import { openDevice } from "../../node/device.ts";
import { claimRun, modelPath as pathOfModel } from "../../node/detector_file.ts";
import type { Device } from "../../runtime/device.ts";
import { OptionError } from "../../runtime/errors.ts";
import { anomaliesOf } from "../anomalies.ts";
import { addFormatFlag, DATASET_HELP, openDataset } from "../dataset.ts";
import { addTrainFlags, trainingOptionsOf, type TrainFlags } from "../options.ts";
import { percentOf, print, say } from "../output.ts";
import { addRegionFlags, Region, regionWords, type RegionFlags } from "../region.ts";
import { trainThrough } from "../train_run.ts";
import { wholeNumber } from "../numbers.ts";

interface TrainCommandFlags extends TrainFlags, RegionFlags {
  readonly out: string;
  readonly format?: FormatName;
  readonly strict?: boolean;
  readonly anomalies?: string;
  readonly resume?: boolean;
  readonly checkpointEvery: number;
  readonly autoBatch?: boolean;
}

export function addTrain(program: Command): void {
  const command = program
    .command("train")
    .description("learn what good images look like")
    .argument("<dir>", DATASET_HELP)
    .requiredOption("--out <run>", "folder for the model and its log");
  addRegionFlags(addFormatFlag(addTrainFlags(command)))
    .option("--anomalies <dir>", "dataset whose defective images with masks stage 1 learns from, too")
    .option("--strict", "end at the first image that cannot be read, instead of skipping it")
    .option("--resume", "go on where an earlier training into the same folder was ended")
    .option("--checkpoint-every <steps>", "save the training's state that often, to resume from", wholeNumber(1), 100)
    .option("--auto-batch", "where the GPU has no memory for a batch, begin anew with half of it, instead of ending")
    .action(async (root: string, told: TrainCommandFlags) => {
      const { out, format, anomalies, strict = false, resume = false, checkpointEvery, autoBatch = false, roi, ignore, ...flags } = told;
      const region = await Region.read({ roi, ignore });
      if (region && anomalies !== undefined) throw new OptionError("--anomalies are learnt from as a whole: leave out --roi and --ignore, or --anomalies");
      const dataset = await openDataset(root, format, strict);
      await using _claim = await claimRun(out);
      if (flags.anomalyShare !== undefined && anomalies === undefined) {
        throw new OptionError("--anomaly-share is a share of what --anomalies DIR names; give both");
      }
      const options = await trainingOptionsOf(flags);
      const trainingOptions = async () => ({ ...options, anomalies: anomalies === undefined ? null : await anomaliesOf(anomalies, strict) });
      const before = await pathOfModel(out).catch(() => null);
      if (before !== null) say(`${before} is there already; the new model and its log replace it when training is done (Ctrl-C keeps it)`);
      const images = dataset.classes.reduce((sum, { train }) => sum + train.length, 0);
      const open = async (): Promise<Device> => {
        const device = await openDevice();
        const backbone = `${flags.backbone} backbone${flags.backbone === "embedded" ? " (--backbone efficientnet-b4 sees more)" : ""}`;
        const classes = dataset.classes.length === 1 ? "one class" : `${dataset.classes.length} classes`;
        say(`${images} good ${images === 1 ? "image" : "images"} of ${classes}; ${backbone}, on ${device.adapter.description}`);
        return device;
      };
      const through = { openDevice: open, trainingOptions, autoBatch, strict, resume, region, checkpointEvery };
      const { detector, modelPath, seconds } = await trainThrough(root, dataset, out, through);
      const tests = dataset.classes.reduce((sum, { test }) => sum + test.length, 0);
      const { grad, calibration } = detector.config;
      print(`${modelPath}: the model, ${grad.decoder} decoder, trained in ${durationOf(seconds)}`);
      const expected = `as ${percentOf(calibration.falseReject)} of further good ones are expected to be`;
      print(`threshold ${calibration.threshold.toPrecision(4)}: images that score above it are called defective, ${expected}`);
      if (tests > 0) print(`next: bigrid eval ${out} ${root}${regionWords({ roi, ignore })}   how well it judges the ${tests} test images there`);
      print(`${tests > 0 ? "or:  " : "next:"} bigrid predict ${out} IMAGE...${regionWords({ roi, ignore })} --out DIR   judges new images`);
    });
}

const durationOf = (seconds: number): string => (seconds < 100 ? `${seconds.toFixed(0)} s` : `${(seconds / 60).toFixed(1)} minutes`);
