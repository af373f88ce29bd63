import { dirname, join } from "node:path";
import type { OverlayOptions } from "sharp";
import { maskContour, paintHeat } from "../../io/heat.ts";
import { batchesOf, requireUsable, type DecodedImage } from "../../io/image.ts";
import { calibratedScore, type GoodScores } from "../../detection/calibration.ts";
import { defectsOf, type Defects } from "../../detection/defects.ts";
import type { Detector } from "../../detection/detector.ts";
import type { InputImage, Inspection, InspectionFailure } from "../../detection/inspection.ts";
import type { Region } from "../../detection/region.ts";
import { ensureFolder, writeFileAtomic } from "../files/files.ts";
import { isGone } from "../files/reasons.ts";
import { decodeImages, encodePng, loadSharp, type Decoded } from "../images.ts";
import { InputError } from "../../runtime/errors.ts";
import type { KeptDetector } from "./kept_detector.ts";
import { shortStem } from "./short_stem.ts";
import type { Inspected, PictureKind, Result } from "./result.ts";

/** An image to inspect, and the name of its pictures below their folders. */
export interface ListedImage {
  readonly image: string;
  readonly picture: string;
}

/** Options of an inspection. */
export interface InspectionOptions {
  readonly good: GoodScores;
  /** Score above which an image is defective. */
  readonly threshold: number;
  readonly pixelThreshold: number;
  /** Smallest area of a defect, pixels; an image without such a defect is good whatever its score. Null: no limit. */
  readonly minArea: number | null;
  /** The part of each picture that counts; null: all of it. */
  readonly region: Region | null;
  readonly pictures: ReadonlyMap<PictureKind, string>;
  /** Images per batch. */
  readonly batch: number;
}

/** The reasons why there is no score: the file has vanished, it cannot be used, or the model failed on the image. */
export type Failure = "gone" | "unusable" | "model";

/** The result of an inspection of one image. */
export interface Outcome<T extends ListedImage> {
  readonly item: T;
  readonly result: Result;
  /** Null where there is a score. */
  readonly failure: Failure | null;
  /** Largest sample of a 16-bit image that states no range of its own; null for others. */
  readonly sampleHigh: number | null;
}

const AHEAD_BYTES = 64e6;

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
  const prepared = kept.use((detector, most) =>
    detector.prepare(Math.min(items.length, most), { regions: options.region !== null }),
  ); // while images are decoded
  prepared.catch(() => undefined); // a batch meets the same
  let before: Promise<readonly Outcome<T>[]> | null = null;
  let last: Promise<unknown> | null = null;
  try {
    for await (const batch of batchesOf(
      decodeImages(items, ({ image }) => image, {
        ahead: Math.max(DECODED_AHEAD, options.batch),
        budget: AHEAD_BYTES,
      }),
      options.batch,
    )) {
      const begun = kept.use((detector, most) => inspectBatch(detector, batch, most, options));
      last = begun;
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
  batch: readonly Decoded<T>[],
  most: number,
  options: InspectionOptions,
): Promise<Outcome<T>[]> {
  const read = batch.map((decoded) => usable(detector, decoded, options));
  const images = read.filter((one) => "image" in one);
  const inspections: (Inspection | InspectionFailure)[] = [];
  for (let first = 0; first < images.length; first += most) {
    inspections.push(...(await detector.inspectEach(images.slice(first, first + most))));
  }
  const inspected = new Map(images.map((image, i) => [image, inspections[i]!]));
  const outcomes = batch.map(async ({ item }, i): Promise<Outcome<T>> => {
    const one = read[i]!;
    const unreadable = (failure: Failure, reason: string): Outcome<T> => ({
      item,
      result: { image: item.image, verdict: "unreadable", reason },
      failure,
      sampleHigh: null,
    });
    if ("failure" in one) return unreadable(one.failure, one.reason);
    const inspection = inspected.get(one)!;
    if ("reason" in inspection) return unreadable("model", `${item.image} cannot be inspected: ${inspection.reason}`);
    const result = await resultOf(item, one, inspection, options);
    return { item, result, failure: null, sampleHigh: one.image.sampleHigh ?? null };
  });
  await Promise.allSettled(outcomes); // where one fails, nothing is written any more when that is known
  return Promise.all(outcomes);
}

/** An image with what counts in it, or why it cannot be inspected. */
function usable<T extends ListedImage>(
  detector: Detector,
  decoded: Decoded<T>,
  { region }: InspectionOptions,
): Required<InputImage> | { readonly failure: Failure; readonly reason: string } {
  try {
    if ("error" in decoded) throw decoded.error;
    const { image, item } = decoded;
    requireUsable(image, item.image);
    return { image, region: region?.of(image, item.image, detector.config.input) ?? null };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { failure: isGone(error) ? "gone" : "unusable", reason: error.message };
  }
}

async function resultOf(
  { image: path, picture }: ListedImage,
  { image, region }: Required<InputImage>,
  inspection: Inspection,
  { good, threshold, pixelThreshold, minArea, pictures }: InspectionOptions,
): Promise<Inspected> {
  const { width, height } = image;
  const { score, peak } = inspection;
  const found = defectsOf(inspection, {
    threshold: pixelThreshold,
    minArea: minArea ?? 1,
    counted: region?.counted ?? null,
  });
  const written: Partial<Record<PictureKind, string>> = {};
  for (const [kind, folder] of pictures) {
    // one after another: each takes several times the image's memory
    written[kind] = await writePicture(folder, picture, await PICTURES[kind](image, inspection, found));
  }
  return {
    image: path,
    score,
    calibrated: calibratedScore(score, good),
    verdict: score <= threshold || (minArea !== null && found.defects.length === 0) ? "good" : "defective",
    peak,
    width,
    height,
    defects: found.defects,
    pictures: written,
  };
}

const IN_THE_WAY = ["EEXIST", "EISDIR", "ENAMETOOLONG", "ENOTDIR", "ENOTEMPTY"];

/**
 * Writes a picture below a folder; where no file can have its name there, under a shorter one in the folder itself.
 * @returns the file's path
 */
async function writePicture(folder: string, name: string, png: Uint8Array): Promise<string> {
  const write = async (path: string): Promise<string> => {
    await ensureFolder(dirname(path));
    await writeFileAtomic(path, png);
    return path;
  };
  try {
    return await write(join(folder, name));
  } catch (error) {
    if (!IN_THE_WAY.includes(((error as Error).cause as NodeJS.ErrnoException | undefined)?.code ?? "")) throw error;
    return write(join(folder, `${shortStem(name)}.png`));
  }
}

/** Encoders of each kind of picture, as PNG of the image's own size. */
const PICTURES: Readonly<
  Record<PictureKind, (image: DecodedImage, inspection: Inspection, found: Defects) => Promise<Uint8Array>>
> = {
  heatMap: (image, inspection) => over(paintHeat(image, inspection), null),
  mask: ({ width, height }, _inspection, { mask }) =>
    encodePng(
      mask.map((pixel) => 255 * pixel),
      width,
      height,
    ),
  contour: (image, _inspection, { mask, defects }) => {
    const outline = defects.length === 0 ? null : maskContour(mask, image.width, image.height);
    return over(
      image,
      outline && { input: Buffer.from(outline.buffer), raw: { width: image.width, height: image.height, channels: 4 } },
    );
  },
};

/** A photograph, with something laid over it. */
async function over({ data, width, height }: DecodedImage, layer: OverlayOptions | null): Promise<Uint8Array> {
  const sharp = await loadSharp();
  return sharp(data, { raw: { width, height, channels: 4 } })
    .composite(layer ? [layer] : [])
    .removeAlpha()
    .png()
    .toBuffer();
}
