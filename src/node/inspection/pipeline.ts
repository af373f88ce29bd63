import { dirname, join } from "node:path";
import { batchesOf, type Picture } from "../../io/image.ts";
import type { Detector } from "../../detection/detector.ts";
import type { Region } from "../../detection/region.ts";
import { ensureFolder, writeFileAtomic, type Contents } from "../files/files.ts";
import { decodeImages, openPictures, type Decoded } from "../images.ts";
import { judge, scoreImages, type Failure, type Scored, type VerdictLimits } from "./judged.ts";
import type { KeptDetector } from "./kept_detector.ts";
import { PICTURES } from "./pictures.ts";
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

const AHEAD_BYTES = { whole: 64e6, tiled: 256e6 } as const;

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
  const { batch: most, region } = options;
  // with tiles one image is inspected at a time, of a large one parts
  const byTiles = await kept.use(({ config }) => Promise.resolve(config.input.tiles !== undefined));
  const prepared = kept.use((detector, most) =>
    detector.prepare(byTiles ? most : Math.min(items.length, most), { regions: region !== null }),
  ); // while images are decoded
  prepared.catch(() => undefined); // a batch meets the same
  let before: Promise<readonly Outcome<T>[]> | null = null;
  let last: Promise<unknown> | null = null;
  try {
    const pathOf = ({ image }: T): string => image;
    const images: AsyncIterable<Decoded<T, Picture>> = byTiles
      ? openPictures(items, pathOf, { budget: AHEAD_BYTES.tiled })
      : decodeImages(items, pathOf, { ahead: Math.max(DECODED_AHEAD, most), budget: AHEAD_BYTES.whole });
    for await (const batch of batchesOf(images, byTiles ? 1 : most)) {
      const begun = kept.use((detector, most) => inspectBatch(detector, batch, most, options));
      last = begun;
      if (byTiles) {
        yield await begun; // the next image is asked for when this one can be closed
        continue;
      }
      begun.catch(() => undefined); // awaited below, after that before it
      if (before) yield await before;
      before = begun;
    }
    if (before) yield await before;
  } finally {
    // Dawn crashes where a process ends while it compiles, and a file may be half written.
    await Promise.allSettled([prepared, before, last]);
  }
}

/** @param most images per batch */
async function inspectBatch<T extends ListedImage>(
  detector: Detector,
  batch: readonly Decoded<T, Picture>[],
  most: number,
  options: InspectionOptions,
): Promise<Outcome<T>[]> {
  const scored = await scoreImages(detector, batch, most, options.region);
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
    pictures[kind] = await writePicture(folder, item.picture, () => PICTURES[kind](input.image, inspection, found));
  }
  return { item, result: { ...result, pictures }, failure: null, sampleHigh: input.image.sampleHigh ?? null };
}

const IN_THE_WAY = ["EEXIST", "EISDIR", "ENAMETOOLONG", "ENOTDIR", "ENOTEMPTY"];

/**
 * Writes a picture below a folder, which is made while it is written; where no file can have its name there, under a shorter one in the folder itself.
 * @returns the file's path
 */
async function writePicture(folder: string, name: string, png: () => Contents): Promise<string> {
  const write = async (path: string): Promise<string> => {
    await ensureFolder(dirname(path));
    await writeFileAtomic(path, png());
    return path;
  };
  try {
    return await write(join(folder, name));
  } catch (error) {
    if (!IN_THE_WAY.includes(((error as Error).cause as NodeJS.ErrnoException | undefined)?.code ?? "")) throw error;
    return write(join(folder, `${shortStem(name)}.png`));
  }
}
