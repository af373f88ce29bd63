import { join } from "node:path";
import type { DatasetClass, Item } from "../../data/dataset.ts";
import type { Detector } from "../../detection/detector.ts";
import type { Region } from "../../detection/region.ts";
import { closePicture } from "../../io/image.ts";
import { decodeImage, openPicture } from "../../node/images.ts";
import { InputError } from "../../runtime/errors.ts";
import { heatUrl, photographLayers, type Photograph } from "../report/layers.ts";
import { say } from "../terminal/say.ts";
import type { Measured, MeasuredImage } from "./results.ts";

const WORST_OF_EACH = 4; // images
const MOST_SHOWN = 24; // in all
const PICTURE_SIDE = 160; // pixels of the longer side, at most

/** An image's score by one method, and what the method sees in it. */
export interface View {
  readonly method: string;
  /** Calibrated: 0.5 is the threshold. */
  readonly score: number;
  /** A data URL. */
  readonly heat: string;
  /** True if the image is one of those that the method judges worst. */
  readonly worst: boolean;
}

/** An image that some method judges badly, as all of them see it. */
export interface GalleryImage extends Photograph {
  readonly className: string;
  readonly path: string;
  readonly defect: string;
  readonly defective: boolean;
  readonly views: readonly View[];
}

/** A method of the gallery: its results, and how its detector is loaded. */
export interface Exhibitor {
  readonly method: string;
  readonly measured: Measured;
  readonly load: () => Promise<Detector>;
}

/** The distance of a calibrated score from the right end of the scale. */
const errorOf = ({ defective, score }: MeasuredImage): number => (defective ? 1 - score : score);

/** An image that is to be shown, and the methods that judge it worst. */
interface Chosen {
  readonly className: string;
  readonly image: MeasuredImage;
  readonly by: readonly string[];
}

/** The images that each method judges worst, those with the largest error of any method first. */
export function chooseWorst(exhibitors: readonly Pick<Exhibitor, "method" | "measured">[]): readonly Chosen[] {
  const chosen = new Map<string, { className: string; image: MeasuredImage; by: string[]; error: number }>();
  for (const { method, measured } of exhibitors) {
    const all = measured.classes.flatMap(({ name, images }) => images.map((image) => ({ className: name, image })));
    const worst = all.sort((a, b) => errorOf(b.image) - errorOf(a.image)).slice(0, WORST_OF_EACH);
    for (const { className, image } of worst) {
      const known = chosen.get(image.path) ?? { className, image, by: [], error: 0 };
      known.by.push(method);
      known.error = Math.max(known.error, errorOf(image));
      chosen.set(image.path, known);
    }
  }
  return [...chosen.values()].sort((a, b) => b.error - a.error).slice(0, MOST_SHOWN);
}

/**
 * Inspects the worst images of each method by all of them, one model in memory at a time. An image that can no longer
 * be read is left out, and named.
 * @param requireGoingOn called before each image
 */
export async function renderGallery(
  root: string,
  classes: readonly DatasetClass[],
  exhibitors: readonly Exhibitor[],
  region: Region | null,
  requireGoingOn: () => void,
): Promise<readonly GalleryImage[]> {
  const items = new Map(classes.flatMap(({ test }) => test.map((item) => [item.path, item] as const)));
  const chosen = chooseWorst(exhibitors);
  const photographs = new Map<Chosen, Photograph>();
  const views = new Map<Chosen, View[]>(chosen.map((one) => [one, []]));
  for (const { method, measured, load } of exhibitors) {
    const scores = new Map(measured.classes.flatMap(({ images }) => images.map(({ path, score }) => [path, score])));
    const detector = await load();
    try {
      for (const one of chosen) {
        requireGoingOn();
        const { path } = one.image;
        const score = scores.get(path);
        if (score === undefined) continue;
        try {
          const { photograph, heat } = await viewOf(detector, root, items.get(path)!, region);
          photographs.set(one, photograph);
          views.get(one)!.push({ method, score, heat, worst: one.by.includes(method) });
        } catch (error) {
          if (!(error instanceof InputError)) throw error; // it has vanished, or can no longer be read
          say(`not shown in the comparison: ${error.message}`);
        }
      }
    } finally {
      detector.release();
    }
  }
  return chosen.flatMap((one): GalleryImage[] => {
    const photograph = photographs.get(one);
    const { className, image } = one;
    const { path, defect, defective } = image;
    return photograph ? [{ ...photograph, className, path, defect, defective, views: views.get(one)! }] : [];
  });
}

async function viewOf(
  detector: Detector,
  root: string,
  item: Item,
  region: Region | null,
): Promise<{ readonly photograph: Photograph; readonly heat: string }> {
  const open = detector.config.input.tiles ? openPicture : decodeImage;
  const image = await open(join(root, item.path));
  try {
    const input = { image, region: region?.of(image, item.path, detector.config.input) ?? null };
    const [inspection] = await detector.inspect([input]);
    return {
      photograph: await photographLayers(detector, root, item, image, PICTURE_SIDE),
      heat: await heatUrl(inspection!),
    };
  } finally {
    await closePicture(image);
  }
}
