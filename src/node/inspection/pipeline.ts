import { dirname, extname, join } from "node:path";
import { batchesOf, type Picture } from "../../io/image.ts";
import type { Detector } from "../../detection/detector.ts";
import type { InspectOptions } from "../../detection/inspection.ts";
import type { Region } from "../../detection/region.ts";
import { ensureFolder, writeFileAtomic, type Contents } from "../files/files.ts";
import { decodeImages, openPictures, type Decoded } from "../images.ts";
import { judge, scoreImages, type Failure, type Scored, type VerdictLimits } from "./judged.ts";
import type { KeptDetector } from "./kept_detector.ts";
import { fileOf, PICTURES } from "./pictures.ts";
import { shortStem } from "./short_stem.ts";
import type { PictureKind, Result } from "./result.ts";

/** An image to inspect, and the name of its pictures below their folders. */
export interface ListedImage {
  readonly image: string;
  readonly picture: string;
}

/** Options of an inspection. */
export interface InspectionOptions extends VerdictLimits {
  /** The part of each picture that counts; null: all of it. */
  readonly region: Region | null;
  readonly pictures: ReadonlyMap<PictureKind, string>;
  /** Images per batch; with tiles, tiles. */
  readonly batch: number;
  /** Called after each batch of tiles of the image that is being inspected, which is the only one then. */
  readonly onProgress?: InspectOptions["onProgress"];
}

/** The result of an inspection of one image. */
export interface Outcome<T extends ListedImage> {
  readonly item: T;
  readonly result: Result;
  /** Null where there is a score. */
  readonly failure: Failure | null;
  /** Largest sample of a 16-bit image that states no range of its own; null for others. */
  readonly sampleHigh: number | null;
}

/** Bytes that decoded images may take which wait for their batch. */
export const AHEAD_BYTES = 64e6;
const TILED_AHEAD_BYTES = 256e6; // of one image, and parts of the next

// sharp decodes in libuv's threads, and the launcher makes one for each core. Worker threads of our own would only hand
// on what these do, and a copy of each image: see docs/predict.md for what was measured.
const DECODED_AHEAD = Math.max(4, Number(process.env["UV_THREADPOOL_SIZE"] ?? 4));

/**
 * Inspects images in order, a batch at a time: while the GPU scores one batch, the one before is written and the next
 * are decoded.
 * @throws InputError if a picture cannot be written
 */
export async function* inspectImages<T extends ListedImage>(
  kept: KeptDetector,
  items: readonly T[],
  options: InspectionOptions,
): AsyncGenerator<readonly Outcome<T>[]> {
  if (items.length === 0) return;
  const pathOf = ({ image }: T): string => image;
  // with tiles one image is inspected at a time, of a large one parts
  const byTiles = await kept.use(({ config }) => Promise.resolve(config.input.tiles !== undefined));
  const images: AsyncIterable<Decoded<T, Picture>> = byTiles
    ? openPictures(items, pathOf, { budget: TILED_AHEAD_BYTES })
    : decodeImages(items, pathOf, { ahead: Math.max(DECODED_AHEAD, options.batch), budget: AHEAD_BYTES });
  yield* inspectBatches(
    kept,
    batchesOf(images, byTiles ? 1 : options.batch),
    options,
    // the next image is asked for when the one before can be closed
    byTiles ? { first: options.batch, underWay: 1 } : { first: items.length },
  );
}

/** Options of inspecting batches as they come. */
export interface BatchesOptions {
  /** Images of the first batch, for which everything is compiled meanwhile; no more than a batch has at most. */
  readonly first: number;
  /** Batches under way at a time. Default 2: while the GPU scores one, the one before is written. */
  readonly underWay?: 1 | 2;
}

/**
 * Inspects batches as they come, in their order. The next one is asked for when fewer than `underWay` are being
 * inspected.
 * @throws InputError if a picture cannot be written; what the batches throw, after the outcomes of those before
 */
export async function* inspectBatches<T extends ListedImage>(
  kept: KeptDetector,
  batches: AsyncIterable<readonly Decoded<T, Picture>[]>,
  options: InspectionOptions,
  { first, underWay = 2 }: BatchesOptions,
): AsyncGenerator<readonly Outcome<T>[]> {
  const prepared = kept.use((detector, most) =>
    detector.prepare(Math.min(first, most), { regions: options.region !== null }),
  ); // while images are decoded
  prepared.catch(() => undefined); // a batch meets the same
  const source = batches[Symbol.asyncIterator]();
  const running: Promise<readonly Outcome<T>[]>[] = [];
  let next: Promise<IteratorResult<readonly Decoded<T, Picture>[], unknown>> | null = null;
  let isOver = false;
  try {
    if (underWay === 1) await prepared.catch(() => undefined); // what is taken now is old when that is done
    for (;;) {
      if (next === null && !isOver && running.length < underWay) next = source.next();
      void next?.catch(() => undefined); // awaited below, after what is running
      const [oldest] = running;
      if (next && (!oldest || (await comesFirst(next, oldest)))) {
        const arrived = await next;
        next = null;
        if (arrived.done) isOver = true;
        else {
          const begun = kept.use((detector, most) => inspectBatch(detector, arrived.value, most, options));
          begun.catch(() => undefined); // awaited after those before it
          running.push(begun);
        }
      } else if (oldest) {
        yield await oldest;
        void running.shift();
      } else return;
    }
  } finally {
    // Dawn crashes where a process ends while it compiles, and a file may be half written.
    await Promise.allSettled([prepared, ...running]);
    await source.return?.();
  }
}

/** True if the first of two promises is fulfilled before the second is settled. */
const comesFirst = (first: Promise<unknown>, second: Promise<unknown>): Promise<boolean> =>
  Promise.race([
    first.then(
      () => true,
      () => false,
    ),
    second.then(
      () => false,
      () => false,
    ),
  ]);

/** @param most images per batch */
async function inspectBatch<T extends ListedImage>(
  detector: Detector,
  batch: readonly Decoded<T, Picture>[],
  most: number,
  options: InspectionOptions,
): Promise<Outcome<T>[]> {
  const scored = await scoreImages(detector, batch, most, options.region, options.onProgress);
  const outcomes = scored.map((one) => outcomeOf(one, options));
  await Promise.allSettled(outcomes); // where one fails, nothing is written any more when that is known
  return Promise.all(outcomes);
}

async function outcomeOf<T extends ListedImage>(scored: Scored<T>, options: InspectionOptions): Promise<Outcome<T>> {
  const { item } = scored;
  if ("failure" in scored) {
    const { failure, reason } = scored;
    return { item, result: { image: item.image, verdict: "unreadable", reason }, failure, sampleHigh: null };
  }
  const { input, inspection } = scored;
  const { result, found } = judge(item.image, input, inspection, options);
  const pictures: Partial<Record<PictureKind, string>> = {};
  for (const [kind, folder] of options.pictures) {
    const name = fileOf(kind, item.picture);
    pictures[kind] = await writePicture(folder, name, () => PICTURES[kind](input.image, inspection, found));
  }
  return { item, result: { ...result, pictures }, failure: null, sampleHigh: input.image.sampleHigh ?? null };
}

const IN_THE_WAY = ["EEXIST", "EISDIR", "ENAMETOOLONG", "ENOTDIR", "ENOTEMPTY"];

/**
 * Writes a picture below a folder, which is made while it is written; where no file can have its name there, under a shorter one in the folder itself.
 * @returns the file's path
 */
async function writePicture(folder: string, name: string, contents: () => Contents): Promise<string> {
  const write = async (path: string): Promise<string> => {
    await ensureFolder(dirname(path));
    await writeFileAtomic(path, contents());
    return path;
  };
  try {
    return await write(join(folder, name));
  } catch (error) {
    if (!IN_THE_WAY.includes(((error as Error).cause as NodeJS.ErrnoException | undefined)?.code ?? "")) throw error;
    return write(join(folder, `${shortStem(name)}${extname(name)}`));
  }
}
