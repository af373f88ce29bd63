import { Option, type Command } from "commander";
import type { FormatName } from "../../data/layouts/layout.ts";
import { calibrateDetector } from "../../detection/calibrate_detector.ts";
import { goodScoresOf, type Calibration, type HeldOut } from "../../detection/calibration.ts";
import { TRAINING_OPTIONS } from "../../detection/training_options.ts";
import { nameShown } from "../../io/printable.ts";
import { loadDetector, modelPath, saveCalibration } from "../../node/detector_file.ts";
import { openDevice } from "../../node/device.ts";
import { hashFile } from "../../node/files/hash.ts";
import { addFormatFlag, DATASET_HELP, goodImages, openDataset } from "../dataset.ts";
import { positiveNumber } from "../flags/numbers.ts";
import { WEIGHTS_HELP } from "../flags/options.ts";
import { addRegionFlags, readRegion, remarkOnRegion, type RegionFlags } from "../flags/region.ts";
import { showProgress } from "../terminal/progress.ts";
import { percentOf, print, printLines, say } from "../terminal/say.ts";
import { claimShown } from "../terminal/shown_outputs.ts";
import { rateRemarks } from "../train/rate_remarks.ts";

interface CalibrateFlags extends RegionFlags {
  readonly falseReject: number;
  readonly weights?: string;
  readonly json?: boolean;
  readonly format?: FormatName;
  readonly strict?: boolean;
}

/** Scores this many times below those of the images that set the threshold before are hardly of new images. */
const FAMILIAR = 2;

export function addCalibrate(program: Command): void {
  const command = program
    .command("calibrate")
    .description("set a trained model's threshold anew, from good images that it was not trained on")
    .argument("<run>", "folder that train wrote; its model is changed")
    .argument("<dir>", `${DATASET_HELP}; of a dataset with parts, those for training`)
    .addOption(
      new Option("--false-reject <share>", "share of good images to reject, above 0 and at most 0.5")
        .argParser(positiveNumber(0.5))
        .default(TRAINING_OPTIONS.falseReject.default),
    )
    .option("--weights <file>", WEIGHTS_HELP)
    .option(
      "--json",
      "one JSON object: {model, sha256, images: {class: {count, rejectedBefore, rejected}}, before, calibration}",
    );
  addRegionFlags(addFormatFlag(command))
    .option("--strict", "stop at the first image that cannot be read, instead of skipping it")
    .action(async (run: string, root: string, flags: CalibrateFlags) => {
      const { falseReject, weights, json, format, strict = false, roi, ignore } = flags;
      const region = await readRegion({ roi, ignore });
      const model = await modelPath(run);
      await using _claim = await claimShown({ files: [model] }, json && "--json");
      const dataset = await openDataset(root, format, strict);
      const device = await openDevice();
      const sha256 = await hashFile(model);
      const detector = await loadDetector(device, run, { weights, sha256 });
      remarkOnRegion(run, detector.config.regions, region);
      const images = goodImages(root, dataset, { strict, region, input: detector.config.input });
      const total = dataset.classes.reduce((sum, { train }) => sum + train.length, 0);
      const bar = showProgress("Calibration", total);
      const onProgress = ({ done }: { readonly done: number }): void => bar.update(done);
      const { before, scores } = await calibrateDetector(detector, images, { falseReject, onProgress }).finally(() =>
        bar.end(),
      );
      const { calibration } = detector.config;
      const counts = countsOf(scores, before, calibration);
      rateRemarks(
        new Map([...counts].map(([name, { count }]) => [name, count])),
        falseReject,
        "not trained on",
      ).forEach(say);
      remarkOnFamiliar(counts, before, calibration);
      const saved = await saveCalibration(run, calibration, sha256);
      if (json) {
        print(JSON.stringify({ model, sha256: saved, images: Object.fromEntries(counts), before, calibration }));
        return;
      }
      printLines(tableOf(counts, before, calibration));
      print(`model   ${model}   has the new thresholds; reports and exported files have those before`);
    });
}

/** Images of a class, and how many of them its thresholds reject. */
interface Counts {
  readonly count: number;
  readonly rejectedBefore: number;
  readonly rejected: number;
}

function countsOf(scores: readonly HeldOut[], before: Calibration, now: Calibration): Map<string, Counts> {
  return new Map(
    [...new Set(scores.map(({ className }) => className))].map((name) => {
      const members = scores.filter(({ className }) => className === name);
      const above = (calibration: Calibration): number =>
        members.filter(({ score }) => score > goodScoresOf(calibration, name).threshold).length;
      return [name, { count: members.length, rejectedBefore: above(before), rejected: above(now) }];
    }),
  );
}

function remarkOnFamiliar(counts: ReadonlyMap<string, Counts>, before: Calibration, now: Calibration): void {
  for (const name of counts.keys()) {
    const ratio = goodScoresOf(before, name).typical / goodScoresOf(now, name).typical;
    if (ratio > FAMILIAR)
      say(
        `class ${name}: these images score ${ratio.toPrecision(2)} times less than those that set the threshold before: if the model was trained on them, calibrate with others`,
      );
  }
}

function tableOf(counts: ReadonlyMap<string, Counts>, before: Calibration, now: Calibration): string {
  const head = ["class", "images", "threshold before", "now", "rejected before", "now"];
  const rows = [...counts].map(([name, { count, rejectedBefore, rejected }]) => [
    nameShown(name),
    String(count),
    goodScoresOf(before, name).threshold.toPrecision(3),
    goodScoresOf(now, name).threshold.toPrecision(3),
    String(rejectedBefore),
    String(rejected),
  ]);
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]!.length)));
  const line = (row: readonly string[]): string =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]! + 2))).join("");
  const kept = Object.keys(now.classes).filter((name) => !counts.has(name));
  return [
    ...[head, ...rows].map(line),
    `expected of new good images: ${percentOf(now.falseReject)} rejected`,
    ...(kept.length > 0 ? [`as before, for want of images: ${kept.map((name) => nameShown(name)).join(", ")}`] : []),
  ].join("\n");
}
