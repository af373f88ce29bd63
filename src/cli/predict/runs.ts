import type { TileProgress } from "../../detection/inspection.ts";
import { narrowRange } from "../../data/sample_range.ts";
import { Arrivals, identityOfArrival } from "./arrivals.ts";
import { commonFolder, liesIn } from "./image_list.ts";
import { isWrittenThrough } from "../../node/files/targets.ts";
import { InputError } from "../../runtime/errors.ts";
import { print, printParts, say } from "../terminal/say.ts";
import { FAILED } from "../terminal/exit_codes.ts";
import { showProgress } from "../terminal/progress.ts";
import { AwaitedSignals } from "../terminal/signals.ts";
import { onOutputFailure, outputFailure } from "../terminal/standard_output.ts";
import type { PredictFlags } from "./flags.ts";
import {
  inspectImages,
  type InspectionOptions,
  type ListedImage,
  type Outcome,
} from "../../node/inspection/pipeline.ts";
import type { KeptDetector } from "../../node/inspection/kept_detector.ts";
import { PictureNames, remarkOnReplaced, type Outputs } from "./outputs.ts";
import { PredictionRecord, shareOf, type Counts, type PredictionSettings } from "./record.ts";
import { Refresh } from "./refresh.ts";
import { inParts, jsonOf } from "./results.ts";
import { submitted } from "./submission.ts";
import { lineOf, printSummary } from "./summary.ts";

/**
 * Inspects a list of images, or a shard of it, from where it was left.
 * @param limit which scores are called defective, for the summary
 */
export async function predictList(
  kept: KeptDetector,
  images: readonly string[],
  { shard, resume = false, json = false, strict = false, submission }: PredictFlags,
  outputs: Outputs,
  options: InspectionOptions,
  settings: PredictionSettings,
  limit: string,
): Promise<Counts> {
  const names = new PictureNames(commonFolder(images));
  const own = submission === undefined ? null : submitted(images);
  const all = images.map((image): ListedImage => ({ image, picture: own?.get(image) ?? names.next(image) }));
  const share = shard ? shareOf(all, shard) : all;
  const record = await PredictionRecord.open(outputs, settings, shard ?? null, resume);
  if (record.done === 0) await remarkOnReplaced(outputs);
  const left = share.slice(record.done);
  if (left.length < share.length) say(`${record.done} of ${share.length} images are done; continuing`);
  const bar = showProgress("Inspection", share.length);
  bar.update(record.done);
  const signals = new AwaitedSignals("ending after this batch");
  const highs: number[] = [];
  const began = performance.now();
  const rate = (): number => (record.done - (share.length - left.length)) / ((performance.now() - began) / 1000);
  const onProgress = ({ done, total }: TileProgress): void => {
    if (done < total) bar.updatePartly(record.done, done / total, `| tile ${done} of ${total}`);
  };
  try {
    for await (const batch of inspectImages(kept, left, { ...options, onProgress })) {
      reportSkipped(batch, strict);
      await record.append(batch.map(({ result }) => ({ result })));
      highs.push(...batch.flatMap(({ sampleHigh }) => sampleHigh ?? []));
      bar.update(record.done, `| ${rate().toFixed(1)} images/s`);
      if (signals.came && record.done < share.length) {
        const remedy = outputs.journal ? "; the same command with --resume continues" : "";
        throw new InputError(`ended by ${signals.came} after ${record.done} of ${share.length} images${remedy}`);
      }
    }
    signals.ignore(); // what is left may wait for whoever reads it
    await record.writeWhole();
    bar.end();
    const { counts } = record;
    const { good, unreadable, defective } = counts;
    const narrow = narrowRange(highs);
    if (narrow) say(`${narrow.message} ${narrow.advice}`);
    if (unreadable > 0)
      say(`skipped ${unreadable} of ${share.length} images that cannot be used (--strict makes this an error)`);
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    if (left.length > 0)
      say(`${left.length} ${left.length === 1 ? "image" : "images"} in ${seconds} s, ${rate().toFixed(1)} images/s`);
    if (good + defective === 0 && unreadable > 0) {
      throw new InputError(
        unreadable === 1 ? "the image could not be read" : `none of the ${unreadable} images could be read`,
      );
    }
    if (json) await printParts(inParts(jsonOf(options.threshold, options.pixelThreshold, () => record.results())));
    else await printSummary(record.results(), counts, outputs, limit);
    if (shard && !json)
      print(`shard ${shard.index} of ${shard.count} is done; when all are: bigrid merge ${outputs.journal} ...`);
    await record.finish(shard ?? null);
    return counts;
  } catch (error) {
    await record.close();
    throw error;
  } finally {
    signals.ignore();
    bar.end();
  }
}

/**
 * Says which images of a batch are left out; where the model failed on one, so has the command.
 * @throws InputError at the first of them if `strict`
 */
export function reportSkipped(batch: readonly Outcome<ListedImage>[], strict: boolean): void {
  for (const { result, failure } of batch) {
    if (result.verdict !== "unreadable") continue;
    if (strict) throw new InputError(result.reason);
    say(`skipped: ${result.reason}`);
    if (failure === "model") process.exitCode = FAILED;
  }
}

/** Inspects the images in a folder and those that come into it, until a signal ends it. */
export async function watchFolder(
  kept: KeptDetector,
  { watch, settle, strict = false }: PredictFlags,
  outputs: Outputs,
  options: InspectionOptions,
  settings: PredictionSettings,
): Promise<Counts> {
  const folder = watch!;
  const record = await PredictionRecord.open(outputs, settings, null, true);
  const names = new PictureNames(folder, takenNames(record, outputs));
  const folders = [...outputs.pictures.values()];
  const onTrouble = (reason: string | null): void =>
    say(reason === null ? `${folder} is there again` : `${reason}; waiting for it`);
  const arrivals = new Arrivals(folder, 1000 * settle, (path) => liesIn(path, folders), record.identities, onTrouble);
  const signals = new AwaitedSignals("ending after this batch", () => arrivals.end());
  const isCurrent = outputs.coco !== null && !(await isWrittenThrough(outputs.coco));
  onOutputFailure(() => arrivals.end()); // nobody reads any more what is said of each image
  const coco = !isCurrent
    ? null
    : new Refresh(
        () => record.writeWhole(),
        () => arrivals.end(),
      );
  say(`watching ${folder}${record.done > 0 ? `; ${record.done} images are done` : ""}; Ctrl-C ends it`);
  try {
    await (isCurrent ? record.writeWhole() : record.beginTables());
    for (let arrived = await arrivals.next(); arrived.length > 0; arrived = await arrivals.next()) {
      const items = arrived.map((arrival) => ({
        image: arrival.path,
        picture: names.next(arrival.path),
        identity: identityOfArrival(arrival),
      }));
      for await (const batch of inspectImages(kept, items, options)) {
        const there = batch.filter(({ failure }) => failure !== "gone");
        for (const { item, failure } of batch) if (failure === "gone") arrivals.forget(item.identity);
        reportSkipped(there, strict);
        await record.append(there.map(({ item: { identity }, result }) => ({ result, identity })));
        coco?.changed();
        for (const { result } of there) print(lineOf(result));
        if (signals.came || outputFailure()) break;
      }
      if (signals.came || outputFailure()) break;
    }
    await coco?.end();
    await record.writeWhole();
    say(`${record.done} images are done; the same command continues`);
    return record.counts;
  } finally {
    signals.ignore();
    await coco?.end().catch(() => undefined); // thrown above, if nothing else was
    await record.close();
  }
}

/** The pictures' names that a record's results have. */
function takenNames({ pictures }: PredictionRecord, outputs: Outputs): string[] {
  const folders = [...outputs.pictures.values()];
  return pictures.flatMap((path) =>
    folders.filter((folder) => liesIn(path, [folder])).map((folder) => path.slice(folder.length + 1)),
  );
}
