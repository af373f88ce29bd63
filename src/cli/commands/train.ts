import { Option, type Command } from "commander";
import type { FormatName } from "../../data/layouts/layout.ts";
import { seesPixels } from "../../detection/assembly.ts";
import { DEFAULT_METHOD, loadMethod } from "../../methods/registry.ts";
import { openDevice } from "../../node/device.ts";
import { claimRun, modelPath as pathOfModel } from "../../node/detector_file.ts";
import type { Device } from "../../runtime/device.ts";
import { OptionError } from "../../runtime/errors.ts";
import { addedTable } from "../train/added_table.ts";
import { readAnomalies } from "../train/anomalies.ts";
import { EarlierRun, keptFlags } from "../train/earlier_run.ts";
import { addFormatFlag, DATASET_HELP, openDataset } from "../dataset.ts";
import { addTrainFlags, DATA, readTrainingOptions, type TrainFlags } from "../flags/options.ts";
import { percentOf, print, printLines, say } from "../terminal/say.ts";
import { addRegionFlags, readRegion, regionWords, type RegionFlags } from "../flags/region.ts";
import { trainThrough } from "../train/train_run.ts";

interface TrainCommandFlags extends TrainFlags, RegionFlags, Readonly<Record<string, unknown>> {
  readonly out: string;
  readonly from?: string;
  readonly add?: string;
  readonly format?: FormatName;
  readonly strict?: boolean;
  readonly anomalies?: string;
  readonly resume?: boolean;
}

const OUTPUT = "Output:";

export async function addTrain(program: Command): Promise<void> {
  const command = program
    .command("train")
    .description("learn what good images look like")
    .argument("[dir]", DATASET_HELP)
    .optionsGroup(DATA);
  addRegionFlags(addFormatFlag(command))
    .option("--strict", "stop at the first image that cannot be read, instead of skipping it")
    .option(
      "--from <run>",
      "go on from this run, without <dir> and with the run's options, for good images that are new",
    )
    .option("--add <dir>", "these new good images, such as false alarms that were looked at; with --from");
  await addTrainFlags(command, process.argv.slice(2));
  command
    .addOption(new Option("--out <run>", "folder for the model and its log").makeOptionMandatory().helpGroup(OUTPUT))
    .addOption(new Option("--resume", "continue an interrupted training in the same folder").helpGroup(OUTPUT))
    .action(async (dir: string | undefined, told: TrainCommandFlags) => {
      const { out, format, strict = false, resume = false, from, add } = told;
      const root = add ?? dir;
      if ((from === undefined) !== (add === undefined))
        throw new OptionError("--from RUN and --add DIR go together: the run, and the good images that are new");
      if (root === undefined) return command.error("error: missing required argument 'dir'");
      const earlier = from === undefined ? null : await EarlierRun.read(from, dir);
      const { roi, ignore, anomalies } = earlier?.flags(told) ?? told;
      const region = await readRegion({ roi, ignore });
      if (region && anomalies !== undefined)
        throw new OptionError("--anomalies does not support regions: leave out --roi and --ignore, or --anomalies");
      const found = await openDataset(root, format, strict);
      const dataset = earlier?.further(root, found) ?? found;
      await using _claim = await claimRun(out);
      const { training: options, run } = await readTrainingOptions(told, from);
      const trainingOptions = async () => ({
        ...options,
        anomalies: anomalies === undefined ? null : await readAnomalies(anomalies, strict),
      });
      const before = await pathOfModel(out).catch(() => null);
      if (before !== null)
        say(`${before} is there already; the new model and its log replace it when training is done (Ctrl-C keeps it)`);
      const images = dataset.classes.reduce((sum, { train }) => sum + train.length, 0);
      const open = async (): Promise<Device> => {
        const device = await openDevice();
        const name = options.backbone ?? "embedded";
        const hint = name === "embedded" ? " (--backbone efficientnet-b4 sees more)" : "";
        const backbone = seesPixels(await loadMethod(options.method ?? DEFAULT_METHOD))
          ? "their pixels"
          : `${name} backbone${earlier ? "" : hint}`;
        const classes = dataset.classes.length === 1 ? "one class" : `${dataset.classes.length} classes`;
        const good = `${images} good ${images === 1 ? "image" : "images"}`;
        const what = earlier ? `${good} added to the ${earlier.count} of ${from}` : `${good} of ${classes}`;
        say(`${what}; ${backbone}, on ${device.adapter.description}`);
        return device;
      };
      const through = {
        openDevice: open,
        trainingOptions,
        ...run,
        strict,
        resume,
        region,
        kept: keptFlags({ roi, ignore, anomalies }),
        ...(earlier && { from: earlier.source(told.weights) }),
      };
      const trained = await trainThrough(root, dataset, out, through);
      const { detector, modelPath, seconds } = trained;
      const { method, calibration } = detector.config;
      print(`${modelPath}: the model, method ${method.name}, trained in ${durationOf(seconds)}`);
      const width = Math.max(...detector.summary.map(([label]) => label.length));
      for (const [label, value] of detector.summary) print(`  ${label.padEnd(width)}  ${value}`);
      if (trained.before) printLines(addedTable(trained.added, trained.before, calibration));
      else {
        const expected = `expect about ${percentOf(calibration.falseReject)} of new good images to be`;
        print(
          `threshold ${calibration.threshold.toPrecision(4)}: images that score above it are called defective; ${expected}`,
        );
      }
      const tests = dataset.classes.reduce((sum, { test }) => sum + test.length, 0);
      if (tests > 0 && !earlier)
        print(
          `next: bigrid eval ${out} ${root}${regionWords({ roi, ignore })}   how well it does on the ${tests} test images there`,
        );
      print(
        `${tests > 0 && !earlier ? "or:  " : "next:"} bigrid predict ${out} IMAGE...${regionWords({ roi, ignore })} --out DIR   finds defects in new images`,
      );
    });
}

const durationOf = (seconds: number): string =>
  seconds < 100 ? `${seconds.toFixed(0)} s` : `${(seconds / 60).toFixed(1)} minutes`;
