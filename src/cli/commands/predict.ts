import { createHash } from "node:crypto";
import type { Command } from "commander";
import { isUndecodable, undecodableWords } from "../../data/tree.ts";
import { nameShown } from "../../io/printable.ts";
import { thresholdsAt, type Calibration } from "../../detection/calibration.ts";
import type { Detector } from "../../detection/detector.ts";
import { hashFile } from "../../node/files/hash.ts";
import { listFolder } from "../../node/files/folder_listing.ts";
import { loadDetector, modelPath } from "../../node/detector_file.ts";
import { openDevice } from "../../node/device.ts";
import { namedScores } from "../predict/class_scores.ts";
import { liesIn, listImages } from "../predict/image_list.ts";
import { isList, readList } from "../predict/name_list.ts";
import { InputError } from "../../runtime/errors.ts";
import { percentOf, say } from "../terminal/say.ts";
import { addPredictFlags, requireConsistent, type PredictFlags } from "../predict/flags.ts";
import type { InspectionOptions } from "../../node/inspection/pipeline.ts";
import { advised, wantsLess } from "../../node/recovery.ts";
import { KeptDetector } from "../../node/inspection/kept_detector.ts";
import { claim, outputsOf, type Outputs } from "../predict/outputs.ts";
import type { Counts, PredictionSettings } from "../predict/record.ts";
import { describeSubmission, submitted } from "../predict/submission.ts";
import { openFrames, predictFrames } from "../predict/frame_run.ts";
import { predictList, watchFolder } from "../predict/runs.ts";
import type { Region } from "../../detection/region.ts";
import { hashRegion, readRegion, remarkOnRegion } from "../flags/region.ts";

const DEFECT_FOUND = 3; // the exit code

export function addPredict(program: Command): void {
  const command = program
    .command("predict")
    .description("find defects in images: scores, verdicts, defects, heat maps, masks and tables")
    .argument("<run>", "folder that train wrote")
    .argument(
      "[images...]",
      'files, folders, "patterns" such as "photos/**/*.png", - for a list (or frames) on standard input',
    );
  addPredictFlags(command).action(async (run: string, words: string[], flags: PredictFlags) => {
    const named = outputsOf(flags, flags.shard ?? null);
    requireConsistent(words, flags, named.journal !== null);
    const outputs = flags.frames === undefined ? named : { ...named, journal: null }; // frames do not come again
    const model = await modelPath(run);
    const printer = flags.frames !== undefined ? "--frames" : flags.json ? "--json" : false;
    await using _claim = await claim(outputs, { shard: flags.shard, printer, submission: flags.submission });
    const frames = flags.frames === undefined ? null : openFrames(words[0]!, flags.frames, flags);
    const images = flags.watch === undefined && !frames ? await findImages(words, flags, outputs) : null;
    if (flags.watch !== undefined) {
      const undecodable = (await listFolder(flags.watch)).files.filter(isUndecodable);
      if (undecodable.length > 0) say(`left out: ${undecodableWords(undecodable)}`);
    }
    const region = await readRegion(flags);
    const sha256 = await hashFile(model);
    const open = async (): Promise<Detector> =>
      loadDetector(await openDevice(), run, { weights: flags.weights, half: flags.half ?? false, sha256 });
    const detector = await open();
    remarkOnRegion(run, detector.config.regions, region);
    if (flags.class === undefined) remarkOnClasses(detector.config.calibration);
    const kept = new KeptDetector(detector, open, flags.batch, flags.autoBatch ?? false, say);
    const options = inspectionOptions(detector, flags, outputs, region);
    const counted = async (): Promise<Counts> => {
      if (frames) return predictFrames(kept, frames, flags, outputs, options);
      const settings = await hashSettings(sha256, flags, options, images);
      if (images === null) return watchFolder(kept, flags, outputs, options, settings);
      const limit = limitOf(flags, detector.config.calibration);
      return predictList(kept, images, flags, outputs, options, settings, limit);
    };
    const counts = await counted().catch((error: unknown) => {
      throw wantsLess(error) && !flags.autoBatch ? advised(error as Error, "--auto-batch does so by itself") : error;
    });
    if (flags.submission !== undefined) say(await describeSubmission(flags.submission));
    if (flags.failOnDefect && counts.defective > 0) process.exitCode ??= DEFECT_FOUND;
  });
}

/** Describes for the summary which scores are called defective. */
const limitOf = ({ threshold }: PredictFlags, { falseReject }: Calibration): string =>
  threshold === undefined
    ? `above 0.500, which ${percentOf(falseReject)} of good images are expected to exceed`
    : `above ${threshold}, by --threshold`;

/**
 * Lists the named images, leaving out the command's own outputs.
 * @throws InputError at a folder that cannot be read if `strict`
 */
async function findImages(
  words: readonly string[],
  { strict, submission }: PredictFlags,
  outputs: Outputs,
): Promise<readonly string[]> {
  const named: string[] = [];
  for (const word of words) named.push(...(isList(word) ? await readList(word) : [word]));
  const folders = [...outputs.pictures.values()];
  const { images, unreadable, remarks } = await listImages(named, (path) => liesIn(path, folders));
  remarks.forEach(say);
  for (const { path, reason } of unreadable) {
    if (strict) throw new InputError(`cannot read ${path}: ${reason}`);
    say(`skipped: cannot read ${path}: ${reason}`);
  }
  if (images.length === 0) throw new InputError("none of the inputs can be read");
  if (submission === undefined) return images;
  const own = [...submitted(images).keys()];
  if (own.length < images.length) say(`left out: ${images.length - own.length} images of no private test set`);
  return own;
}

function inspectionOptions(
  detector: Detector,
  flags: PredictFlags,
  { pictures }: Outputs,
  region: Region | null,
): InspectionOptions {
  const good = namedScores(detector.config.calibration, flags.class);
  const { minArea = null, batch } = flags;
  const { threshold, pixelThreshold } = thresholdsAt(good, flags.threshold ?? 0.5);
  return {
    good,
    threshold,
    pixelThreshold: flags.pixelThreshold ?? pixelThreshold,
    minArea,
    region,
    pictures,
    batch,
  };
}

async function hashSettings(
  model: string,
  { class: className, roi, ignore, watch, half = false }: PredictFlags,
  options: InspectionOptions,
  images: readonly string[] | null,
): Promise<PredictionSettings> {
  const { threshold, pixelThreshold, minArea, pictures } = options;
  return {
    model,
    half,
    class: className ?? null,
    threshold,
    pixelThreshold,
    minArea,
    ...(await hashRegion({ roi, ignore })),
    pictures: [...pictures.keys()],
    list: images && { images: images.length, sha256: createHash("sha256").update(images.join("\0")).digest("hex") },
    watch: watch ?? null,
  };
}

/** Says which threshold judges images of unknown class, where another class's is lower. */
function remarkOnClasses({ classes }: Calibration): void {
  const sorted = Object.entries(classes).sort(([, a], [, b]) => a.threshold - b.threshold);
  if (sorted.length < 2) return;
  const [[low, { threshold: least }], [high, { threshold: most }]] = [sorted[0]!, sorted.at(-1)!];
  if (least === most) return;
  const [strict, missed] = [nameShown(high), nameShown(low)];
  say(
    `the model knows ${sorted.length} classes: without --class, all images are judged by the highest threshold, ${strict}'s ${most.toPrecision(4)}, and defects of ${missed}, which has ${least.toPrecision(4)}, may be missed; --class ${missed} judges by that`,
  );
}
