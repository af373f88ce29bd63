import { dirname, join } from "node:path";
import type { OverlayOptions } from "sharp";
import { maskContour, paintHeat } from "../../io/heat.ts";
import { batchesOf, requireUsable, type DecodedImage } from "../../io/image.ts";
import type { Size } from "../../io/placement.ts";
import { calibratedScore, type GoodScores } from "../../detection/calibration.ts";
import { defectsOf, type Defects } from "../../detection/defects.ts";
import type { Detector, DetectorConfig } from "../../detection/detector.ts";
import type { InputImage, Inspection, InspectionFailure } from "../../detection/inspection.ts";
import type { PictureRegion } from "../../detection/region.ts";
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

/** The part of each picture that counts. */
export interface RegionOfPictures {
  /** @throws InputError if nothing of it counts that a detector of this input would see */
  of(size: Size, name: string, input: DetectorConfig["input"]): PictureRegion;
}

export interface InspectionOptions {
  readonly good: GoodScores;
  /** Score above which an image is defective. */
  readonly threshold: number;
  readonly pixelThreshold: number;
  /** Smallest area of a defect, pixels; an image without such a defect is good whatever its score. Null: no limit. */
  readonly minArea: number | null;
  readonly region: RegionOfPictures | null;
  readonly pictures: ReadonlyMap<PictureKind, string>;
  /** Images per batch. */
  readonly batch: number;
  /** True to fail at the first image that cannot be inspected. */
  readonly strict: boolean;
  /**
   * Called with a message for each image that is left out.
   * @param isFault true if the model failed on it, false if it cannot be read
   */
  readonly onSkipped: (reason: string, isFault: boolean) => void;
  /** Called with the largest sample of each 16-bit image that states no range of its own. */
  readonly onSampleHigh?: (high: number) => void;
}

/** Handling of images that have vanished. */
export interface GoneOptions<T extends ListedImage> {
  /** Called for an image that has vanished, which then has no result. Default: it counts as unreadable. */
  readonly onGone?: (item: T) => void;
}

const AHEAD_BYTES = 64e6;

// sharp decodes in libuv's threads, and the launcher makes one for each core. Worker threads of our own would only hand
// on what these do, and a copy of each image: see docs/predict.md for what was measured.
const DECODED_AHEAD = Math.max(4, Number(process.env["UV_THREADPOOL_SIZE"] ?? 4));

/**
 * Inspects images in order, a batch at a time: while the GPU scores one batch, the one before is written and the next
 * are decoded.
 * @throws InputError at the first image that cannot be inspected if `strict`; if a picture cannot be written
 */
export async function* inspectImages<T extends ListedImage>(
  kept: KeptDetector,
  items: readonly T[],
  options: InspectionOptions & GoneOptions<T>,
): AsyncGenerator<readonly (readonly [T, Result])[]> {
  if (items.length === 0) return;
  const prepared = kept.use((detector, most) =>
    detector.prepare(Math.min(items.length, most), { regions: options.region !== null }),
  ); // while images are decoded
  prepared.catch(() => undefined); // a batch meets the same
  let before: Promise<readonly (readonly [T, Result])[]> | null = null;
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
  decoded: readonly Decoded<T>[],
  most: number,
  options: InspectionOptions & GoneOptions<T>,
): Promise<(readonly [T, Result])[]> {
  const { onGone } = options;
  const isThere = (outcome: Decoded<T>): boolean => !(onGone && "error" in outcome && isGone(outcome.error));
  const batch = decoded.filter(isThere);
  for (const { item } of decoded) if (!batch.some((outcome) => outcome.item === item)) onGone?.(item);
  const read = batch.map((outcome) => usable(detector, outcome, options));
  const images = read.filter((outcome) => "image" in outcome);
  const inspections: (Inspection | InspectionFailure)[] = [];
  for (let first = 0; first < images.length; first += most) {
    inspections.push(...(await detector.inspectEach(images.slice(first, first + most))));
  }
  const inspected = new Map(images.map((image, i) => [image, inspections[i]!]));
  const results = batch.map(async ({ item }, i) => {
    const outcome = read[i]!;
    if ("reason" in outcome)
      return [item, { image: item.image, verdict: "unreadable", reason: outcome.reason }] as const;
    const inspection = inspected.get(outcome)!;
    if ("reason" in inspection)
      return [
        item,
        { image: item.image, verdict: "unreadable", reason: failureOf(item, inspection, options) },
      ] as const;
    return [item, await resultOf(item, outcome, inspection, options)] as const;
  });
  await Promise.allSettled(results); // where one fails, nothing is written any more when that is known
  return Promise.all(results);
}

/** An image with what counts in it, or why it cannot be inspected. */
function usable<T extends ListedImage>(
  detector: Detector,
  outcome: Decoded<T>,
  { region, strict, onSkipped, onSampleHigh }: InspectionOptions,
): Required<InputImage> | { readonly reason: string } {
  try {
    if ("error" in outcome) throw outcome.error;
    const { image, item } = outcome;
    requireUsable(image, item.image);
    if (image.sampleHigh !== undefined) onSampleHigh?.(image.sampleHigh);
    return { image, region: region?.of(image, item.image, detector.config.input) ?? null };
  } catch (error) {
    if (!(error instanceof InputError) || strict) throw error;
    onSkipped(error.message, false);
    return { reason: error.message };
  }
}

/** Reports why an image has no score; throws an InputError if `strict`. */
function failureOf(
  { image }: ListedImage,
  { reason }: InspectionFailure,
  { strict, onSkipped }: InspectionOptions,
): string {
  const problem = `${image} cannot be inspected: ${reason}`;
  if (strict) throw new InputError(problem);
  onSkipped(problem, true);
  return problem;
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
